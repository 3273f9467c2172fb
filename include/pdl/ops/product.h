// Products of matrices whose bits do not depend on the number of threads.
#pragma once

#include <ATen/core/Tensor.h>

namespace pdl {

// Writes a·b to out, or adds it if `adds`: a [M, K], b [K, N], out [M, N] of one dtype and device.
//
// float32 on the CPU with contiguous rows of out goes to kernels whose sums depend on K alone. For
// other dtypes there is a BLAS, which divides a product among threads as it likes, and whose sums
// depend on the size of the part: here its parts depend on the shapes alone, and each is the work
// of one thread.
void multiply_into(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b,
                   bool adds = false);

// Returns a·b.
at::Tensor matrix_product(const at::Tensor& a, const at::Tensor& b);

}  // namespace pdl
