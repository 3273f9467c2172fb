// Power-Law Decay cross-entropy as a sum and its denominator, so that micro-batches and ranks
// combine exactly. The caller divides once, by the weight sum of the whole step.
#pragma once

#include <ATen/core/Tensor.h>

namespace pdl {

// Sums over the non-ignored targets of one micro-batch: scalars on the device of the logits.
struct LossTerms {
  // [] float64, Σ w[y_i]·ce_i in nats; carries the gradient. float64, so that at alpha 0 it is
  // ce_sum to the last bit.
  at::Tensor weighted_sum;
  at::Tensor weight_sum;  // [] float64, Σ w[y_i]; 0 if every target is ignored
  at::Tensor ce_sum;  // [] float64, Σ ce_i in nats, detached: the unweighted figure for reports
  at::Tensor num_tokens;  // [] int64, non-ignored targets
};

// ce_i = -log softmax(logits_i)[y_i], computed in float32 whatever the dtype of `logits`.
//
//   logits   [B, T, V] float32 | bfloat16 | float16
//
//   targets  [B, T]    int64 in [0, V) or kIgnoreTarget, already shifted:
//                      targets[b][t] is what logits[b][t] predicts
//
//   weights  [V]       float32, finite and > 0, same device (frequency/weight_table.h)
//
// Throws Error (internal) if shapes, dtypes or devices disagree. Does not synchronise the device
// with the host.
LossTerms weighted_cross_entropy(const at::Tensor& logits, const at::Tensor& targets,
                                 const at::Tensor& weights);

// The sums of a step's denominator and of its effective sample size, known from the targets before
// any forward.
struct TargetWeightSums {
  at::Tensor weight_sum;  // [] float64, Σ w[y_i] over the non-ignored targets
  at::Tensor square_sum;  // [] float64, Σ w[y_i]²
};

// Arguments as above.
TargetWeightSums sum_target_weights(const at::Tensor& targets, const at::Tensor& weights);

}  // namespace pdl
