// Products of matrices whose bits do not depend on the number of threads.
#pragma once

#include <ATen/core/Tensor.h>

#include "pdl/kernels/cpu_kernels.h"

namespace pdl {

// What becomes of the factors of a product; sums are float32.
enum class ProductPrecision {
  kFloat32,
  kBfloat16,  // rounded to bfloat16
  kFloat16,   // rounded to float16; not on the CPU
  // Each the sum of two bfloat16, h + l, of which h·h, l·h and h·l are added; on the CPU alone. The
  // error is about 2^-16 of the largest term.
  kBfloat16x3,
};

// Writes a·b to out [M, N], or adds it: a [M, K] and b [K, N] float32 or bfloat16, out float32 with
// contiguous rows, on one device.
//
// On the CPU it runs the kernels of kernels/cpu_kernels.h, whose sums depend on K alone. A CPU
// without instructions for bfloat16 multiplies what was rounded as float32. Elsewhere it runs
// ATen's operators, and a product of rounded factors is rounded, too.
void multiply_into(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b,
                   ProductPrecision precision = ProductPrecision::kFloat32,
                   Writing writing = Writing::kReplace);

// Returns a·b.
at::Tensor matrix_product(const at::Tensor& a, const at::Tensor& b,
                          ProductPrecision precision = ProductPrecision::kFloat32);

// Returns a·b + bias [M, N] bfloat16, of factors rounded to bfloat16. `bias` [N] float32 or
// bfloat16 is added to each row, unless it is undefined. On the CPU the sum is rounded once.
at::Tensor rounded_product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias = {});

// Returns x·b [M, N] float32 for few rows x [M, K] float32, and b [K, N] float32 or bfloat16, of
// which the rows or the columns are contiguous. On the CPU it reads b once, where it lies: a row of
// the result has the same bits whatever other rows there are, but not those of matrix_product().
at::Tensor few_rows_product(const at::Tensor& x, const at::Tensor& b);

// Returns the multiplications of all products so far, M·N·K of each.
double count_multiplications();
// Adds those of products that multiply_into() does not do.
void add_multiplications(double count);

// Measures how many multiplications a second products on the CPU make at best, on all threads: each
// has factors that stay in its cache. Takes a fraction of a second.
double measure_multiplication_rate(ProductPrecision precision);

}  // namespace pdl
