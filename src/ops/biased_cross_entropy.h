// The cross-entropy of logits to which tau·ln(count + 1) is added, for a grid of tau at once.
// Tokens of the same count have the same bias, so that the exponentials of a position are added up
// by count once, to S_c, and each tau needs no more than log Σ_c S_c·(c + 1)^tau.
#pragma once

#include <ATen/core/Tensor.h>

#include "pdl/ops/counted_vocabulary.h"

namespace pdl {

class BiasedCrossEntropy {
 public:
  // For N positions with targets [N]. There are sums of the groups of `group_of_sum` [S] int64: of
  // all in their order if it is undefined, or several of one group. The vocabulary must outlive it.
  BiasedCrossEntropy(const CountedVocabulary& vocabulary, const at::Tensor& targets,
                     const at::Tensor& group_of_sum = {});

  // Takes sums [n, S] float64 of positions from `first` on: Σ exp(logit - reference). For several
  // threads, each with other positions.
  void add(int64_t first, const at::Tensor& sums);

  // Returns the cross-entropies [N, K] in nats, 0 where the target is ignored, when all positions
  // are added; references and logits of targets are [N] float64.
  at::Tensor values(const at::Tensor& references, const at::Tensor& target_logits) const;

 private:
  const CountedVocabulary& vocabulary_;
  at::Tensor targets_;
  at::Tensor largest_bias_;  // [K]
  at::Tensor factors_;  // [S, K + padding], of sums: relative to the largest bias none overflows
  at::Tensor totals_;   // [N, K + padding]
};

// Returns that of rows of logits [N, V] of any dtype on any device, by ATen's operators. NaN or
// +inf among the logits of a position gives NaN.
at::Tensor reference_biased_cross_entropy(const at::Tensor& rows, const at::Tensor& targets,
                                          const CountedVocabulary& vocabulary);

}  // namespace pdl
