// The functions that nvcc and the emulation of the tests (tests/support/cuda_emulation) spell
// differently.
#pragma once

#ifdef __CUDACC__

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#define PDL_HOST_DEVICE __host__ __device__
#define PDL_UNROLL _Pragma("unroll")

namespace pdl::cuda {

// Computes 2^x with a relative error of 2^-22, exact at 0; subnormal results become 0. It takes one
// instruction. exp2f takes three more for subnormal results, which are negligible here compared
// with the row's sum.
__device__ __forceinline__ float exp2_approximate(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

__device__ __forceinline__ unsigned char* dynamic_shared_memory() {
  extern __shared__ __align__(16) unsigned char bytes[];
  return bytes;
}

}  // namespace pdl::cuda

#else

#include "support/cuda_emulation/cuda_emulation.h"

#endif
