// Measures the memory of tensors on a device.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace pdl {

// Returns the most that tensors took at once, in 10^9 bytes, as torch.cuda.max_memory_allocated
// counts; none on the CPU.
std::optional<double> peak_memory_gb(at::Device device);

// While it lives, measures how much more tensors take than at its beginning. On the CPU it counts
// those of pool_tensor_memory(), and without that none.
class MemoryMeasurement {
 public:
  explicit MemoryMeasurement(at::Device device);
  // The most so far, in bytes.
  int64_t peak() const;

 private:
  at::Device device_;
  int64_t before_;
};

}  // namespace pdl
