// What the operators on the CPU ask of tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "pdl/base/error.h"

namespace pdl {

// Whether the kernels that compute in float32 take the tensor.
inline bool is_cpu_float(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat;
}

// Kernels read rows as they lie in memory. Throws Error (internal) for others.
inline void require_contiguous_rows(const at::Tensor& x, const char* what) {
  if (x.stride(-1) != 1)
    throw Error(ExitCode::kInternal, std::string(what) + " must have contiguous rows");
}

}  // namespace pdl
