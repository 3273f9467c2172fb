// Sums over the rows of a matrix.
#pragma once

#include <ATen/core/Tensor.h>

namespace pdl {

// Adds Σ_n x[n] to `sums` [D] float32 for x [N, D] float32 or bfloat16, on one device: the same
// bits for any number of threads.
void add_column_sums(const at::Tensor& x, const at::Tensor& sums);

// Adds row n of x [N, D] to row rows[n] of `sums` [R, D], both float32, in the order of n. rows [N]
// is int64 in [0, R). The same bits for any number of threads.
void add_to_rows(const at::Tensor& x, const at::Tensor& rows, const at::Tensor& sums);

}  // namespace pdl
