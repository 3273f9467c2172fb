// The cross-entropy of a linear head, and what an evaluation needs of it, without logits in memory.
#pragma once

#include <ATen/core/Tensor.h>

#include "pdl/ops/cross_entropy.h"
#include "pdl/ops/evaluate_positions.h"
#include "pdl/ops/product.h"

namespace pdl {

// Whether there are kernels for products of this precision on a device: on a CPU with instructions
// for bfloat16, where they are about as fast as with logits that are kept, or faster.
bool has_linear_cross_entropy(const at::Device& device, ProductPrecision precision);

// Where the gradient of the head goes.
struct HeadGradientSum {
  at::Tensor sum;     // [V, D] float32; undefined: it is not wanted
  bool adds = false;  // to what is there
};

// The gradient of Σ w·ce / weight_sum and the sums of replace_by_gradient(), for logits
// hidden·headᵀ that exist for a few positions and tokens at a time. They are computed twice.
//
//   hidden           [N, D] float32 with contiguous rows
//   head             [V, D] float32 or bfloat16
//   targets          [N]    int64 in [0, V) or kIgnoreTarget
//   weights          [V]    float32
//   weight_sum       []     float64
//   hidden_gradient  [N, D] float32 with contiguous rows, written
//
// Products, also those of the gradient of the logits, are of the precision. Exponentials are
// float32, relative to a logit that is about the largest of the row, and are summed in float32 over
// up to 480 tokens, and these sums in float64. The bits do not depend on the number of threads.
// The error of a ce is about that of float32 sums, some 1e-7 absolute, so that one near 0 may be
// negative.
//
// Throws Error (internal) where there are no kernels, for a target that is no token, and for shapes
// or dtypes that do not fit.
CrossEntropySums linear_cross_entropy_gradient(const at::Tensor& hidden, const at::Tensor& head,
                                               const at::Tensor& targets, const at::Tensor& weights,
                                               const at::Tensor& weight_sum,
                                               ProductPrecision precision,
                                               const at::Tensor& hidden_gradient,
                                               const HeadGradientSum& head_gradient);

// evaluate_positions() of such logits, which are computed once, with all exponentials and sums in
// float64. `vocabulary` is as there, the other arguments are as above. The bits do not depend on
// the number of threads either.
PositionEvaluations evaluate_linear_head(const at::Tensor& hidden, const at::Tensor& head,
                                         const at::Tensor& targets,
                                         const CountedVocabulary& vocabulary,
                                         ProductPrecision precision);

}  // namespace pdl
