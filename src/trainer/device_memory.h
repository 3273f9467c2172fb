// Measures the memory of a device.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace pdl {

// Returns the peak of the memory of tensors on the device, in 10^9 bytes, as
// torch.cuda.max_memory_allocated counts; none on the CPU.
std::optional<double> peak_memory_gb(at::Device device);

}  // namespace pdl
