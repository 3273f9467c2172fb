// The kernels of each instruction set of this build; cpu_kernels() chooses among them.
#pragma once

#include "pdl/kernels/cpu_kernels.h"

namespace pdl {

extern const CpuKernels kPortableKernels;
#if defined(__x86_64__)
extern const CpuKernels kAvx2Kernels;
extern const CpuKernels kAvx512Kernels;
extern const CpuKernels kAvx512Bf16Kernels;
extern const CpuKernels kAmxKernels;
#endif

}  // namespace pdl
