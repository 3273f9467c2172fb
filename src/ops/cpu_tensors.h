// What the operators on the CPU ask of tensors.
#pragma once

#include <ATen/core/Tensor.h>

namespace pdl {

// Whether the kernels that compute in float32 take the tensor.
inline bool is_cpu_float(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat;
}

}  // namespace pdl
