// What the operators on the CPU ask of tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "pdl/base/error.h"
#include "pdl/kernels/cpu_kernels.h"

namespace pdl {

// Whether the kernels that compute in float32 take the tensor.
inline bool is_cpu_float(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat;
}

// Whether the kernels that take float32 or bfloat16 take the tensor.
inline bool is_cpu_factor(const at::Tensor& x) {
  return is_cpu_float(x) || (x.is_cpu() && x.scalar_type() == at::kBFloat16);
}

// A matrix of float32 or bfloat16, with any strides.
inline MatrixView view_of(const at::Tensor& matrix) {
  MatrixView view{.row_stride = matrix.stride(0), .column_stride = matrix.stride(1)};
  if (matrix.scalar_type() == at::kBFloat16) {
    view.bfloat16 = static_cast<const Bfloat16*>(matrix.const_data_ptr());
  } else {
    view.values = matrix.const_data_ptr<float>();
  }
  return view;
}

// Kernels read rows as they lie in memory. Throws Error (internal) for others.
inline void require_contiguous_rows(const at::Tensor& x, const char* what) {
  if (x.stride(-1) != 1)
    throw Error(ExitCode::kInternal, std::string(what) + " must have contiguous rows");
}

}  // namespace pdl
