// The cross-entropy of logits to which tau·ln(count + 1) is added, for a grid of tau at once.
// Tokens of the same count have the same bias, so that the exponentials of a position are added up
// by count once, to S_c, and each tau needs no more than log Σ_c S_c·(c + 1)^tau.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace pdl {

// The tokens of a vocabulary in C groups of the same count, and their biases for K values of tau.
struct TokenBiases {
  // For the counts [V] of tokens; tensors are on `device`.
  TokenBiases(const std::vector<int64_t>& counts, const std::vector<double>& taus,
              at::Device device);

  std::vector<int32_t> tokens;  // [V], by increasing count
  std::vector<int64_t> ends;    // [C]: where in `tokens` each group ends
  at::Tensor group_of_token;    // [V] int64
  at::Tensor biases;            // [C, K] float64, tau·ln(count + 1)
};

// Returns [N, K] float64, in nats, for logits [B, T, V] float32 | bfloat16 | float16 without a
// gradient and targets [B, T] int64 in [0, V) or kIgnoreTarget, N = B·T; zeros where the target is
// ignored. Exponentials and sums are float64, with a relative error of 1e-11. NaN or +inf among the
// logits of a position gives NaN. Throws Error (internal) if shapes, dtypes or devices disagree.
at::Tensor biased_cross_entropy(const at::Tensor& logits, const at::Tensor& targets,
                                const TokenBiases& biases);

}  // namespace pdl
