// Power-Law Decay cross-entropy as a sum and its denominator, so that micro-batches and ranks
// combine exactly. The denominator is that of the whole step, known from the targets before any
// forward. Hence the gradient can replace the logits as soon as they are computed, with one copy of
// the logits in memory.
#pragma once

#include <ATen/core/Tensor.h>

namespace pdl {

// Sums over one micro-batch: scalars on the device of the logits.
struct LossTerms {
  // [] float64, Σ w[y_i]·ce_i / weight_sum in nats; carries the gradient.
  at::Tensor loss;
  // [] float64, Σ w[y_i]·ce_i; at alpha 0 it is ce_sum to the last bit.
  at::Tensor weighted_sum;
  at::Tensor ce_sum;  // [] float64, Σ ce_i in nats: the unweighted figure for reports
};

// ce_i = -log softmax(logits_i)[y_i], computed in float32 whatever the dtype of `logits`, and
// summed in float64 in the order of the positions: the same bits for any number of threads. Ignored
// targets count as nothing, whatever their logits.
//
//   logits      [B, T, V] float32 | bfloat16 | float16; move them in: if nobody else holds their
//               memory, neither a caller nor the graph that made them, the gradient replaces
//               them; otherwise it replaces a copy
//
//   targets     [B, T]    int64 in [0, V) or kIgnoreTarget, already shifted:
//                         targets[b][t] is what logits[b][t] predicts
//
//   weights     [V]       float32, finite and > 0, same device (loss/weight_table.h)
//
//   weight_sum  []        float64, same device: Σ w over the targets of the whole step, or
//                         what else the loss shall be divided by
//
// Throws Error (internal) if shapes, dtypes or devices disagree. Does not synchronise the device
// with the host.
LossTerms weighted_cross_entropy(at::Tensor logits, const at::Tensor& targets,
                                 const at::Tensor& weights, const at::Tensor& weight_sum);

// Σ w·ce and Σ ce, [] float64 each.
struct CrossEntropySums {
  at::Tensor weighted_sum;
  at::Tensor ce_sum;
};

// The same without autograd: replaces logits [N, V], whose rows are contiguous, by the gradient of
// Σ w·ce / weight_sum. Targets are [N].
CrossEntropySums replace_by_gradient(const at::Tensor& logits, const at::Tensor& targets,
                                     const at::Tensor& weights, const at::Tensor& weight_sum);

// The sums of a step's denominator and of its effective sample size, known from the targets before
// any forward.
struct TargetWeightSums {
  at::Tensor weight_sum;  // [] float64, Σ w[y_i] over the non-ignored targets
  at::Tensor square_sum;  // [] float64, Σ w[y_i]²
};

// The arguments are those of weighted_cross_entropy().
TargetWeightSums sum_target_weights(const at::Tensor& targets, const at::Tensor& weights);

}  // namespace pdl
