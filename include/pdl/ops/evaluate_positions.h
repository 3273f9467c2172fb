// Computes what an evaluation needs of the logits of each position, in one pass over them.
#pragma once

#include <ATen/core/Tensor.h>

#include "pdl/ops/counted_vocabulary.h"

namespace pdl {

// Figures of N positions, on the device of the logits. A position with an ignored target has zeros.
struct PositionEvaluations {
  at::Tensor ce;      // [N] float64, -log softmax(logits_i)[y_i] in nats
  at::Tensor is_hit;  // [N] bool: y_i is the first index of the largest logit
  at::Tensor
      band_mass;  // [kMaxBands] float64, Σ over the positions of the probability of each band
  // [N, K] float64, in nats: the cross-entropy with the biases of the vocabulary added to the
  // logits; undefined without biases. Exponentials and sums are float64, with a relative error of
  // 1e-11. NaN or +inf among the logits of a position gives NaN.
  at::Tensor biased_ce = {};
};

// Neither changes nor copies the logits.
//
//   logits      [B, T, V] float32 | bfloat16 | float16, without a gradient
//   targets     [B, T]    int64 in [0, V) or kIgnoreTarget; N = B·T
//   vocabulary            of V tokens; the biases change no other figure
//
// Throws Error (internal) if shapes, dtypes or devices disagree.
PositionEvaluations evaluate_positions(const at::Tensor& logits, const at::Tensor& targets,
                                       const CountedVocabulary& vocabulary);

}  // namespace pdl
