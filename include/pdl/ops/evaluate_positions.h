// Computes what an evaluation needs of the logits of each position, in one pass over them.
#pragma once

#include <ATen/core/Tensor.h>

namespace pdl {

// Figures of N positions, on the device of the logits. A position with an ignored target has zeros.
struct PositionEvaluations {
  at::Tensor ce;      // [N] float64, -log softmax(logits_i)[y_i] in nats
  at::Tensor is_hit;  // [N] bool: y_i is the first index of the largest logit
  at::Tensor
      band_mass;  // [kMaxBands] float64, Σ over the positions of the probability of each band
};

// Neither changes nor copies the logits.
//
//   logits   [B, T, V] float32 | bfloat16 | float16, without a gradient
//   targets  [B, T]    int64 in [0, V) or kIgnoreTarget; N = B·T
//   bands    [V]       uint8, the band of each token, < kMaxBands (kernels/cpu_kernels.h)
//
// Throws Error (internal) if shapes, dtypes or devices disagree.
PositionEvaluations evaluate_positions(const at::Tensor& logits, const at::Tensor& targets,
                                       const at::Tensor& bands);

}  // namespace pdl
