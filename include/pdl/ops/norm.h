// Normalisation of rows, forward and backward.
#pragma once

#include <ATen/core/Tensor.h>

#include "pdl/model/families/decoder_spec.h"

namespace pdl {

// What a norm does to a row x of D values:
//
//   kRms    y = x · rstd · f,           rstd = (mean(x²) + eps)^-½   (Zhang and Sennrich, 2019)
//   kLayer  y = (x - mean(x)) · rstd · f + bias,  rstd = (var(x) + eps)^-½ (Ba et al., 2016)
//
// f is the weight, 1 + weight, or 1 without a weight.
struct Norm {
  NormKind kind = NormKind::kRms;
  double eps = 1e-6;
  bool one_plus_weight = false;
  at::Tensor weight;  // [D] float32, or undefined
  at::Tensor bias;    // [D] float32, or undefined
};

// What backward needs beside the input, [N, 1] float32.
struct NormStatistics {
  at::Tensor mean;  // of kLayer
  at::Tensor rstd;
};

// Returns y [N, D] for x [N, D] float32, whose rows may have a stride. `rounds`: as bfloat16, else
// as float32. Sets `statistics`.
at::Tensor norm_forward(const at::Tensor& x, const Norm& norm, NormStatistics& statistics,
                        bool rounds = false);

// Returns the gradient of x [N, D] for that of y, which is float32 or bfloat16, plus `added` [N,
// D] of the dtype of x, unless that is undefined. Adds those of weight and bias to
// `weight_gradient` and `bias_gradient` [D] float32, if these are defined: the same bits for any
// number of threads.
at::Tensor norm_backward(const at::Tensor& y_gradient, const at::Tensor& x, const Norm& norm,
                         const NormStatistics& statistics, const at::Tensor& weight_gradient,
                         const at::Tensor& bias_gradient, const at::Tensor& added = {});

}  // namespace pdl
