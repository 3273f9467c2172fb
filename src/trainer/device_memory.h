// Memory of a device.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace pdl {

// The most that tensors have held on the device, in 10^9 bytes, as torch.cuda.max_memory_allocated
// counts; none on the CPU.
std::optional<double> peak_memory_gb(at::Device device);

}  // namespace pdl
