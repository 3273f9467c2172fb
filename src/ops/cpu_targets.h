// Targets on the CPU as its kernels take them, and what these give for them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "pdl/kernels/cpu_kernels.h"
#include "pdl/ops/cross_entropy.h"
#include "pdl/ops/evaluate_positions.h"

namespace pdl {

// Returns the targets; checked, because kernels index by them. Throws Error (internal) for one that
// is neither kIgnoreTarget nor in [0, vocab_size).
std::vector<int64_t> checked_targets(const at::Tensor& targets, int64_t vocab_size);

// Σ w·ce and Σ ce over the positions with a target, in their order.
CrossEntropySums sum_cross_entropy(const std::vector<double>& ce,
                                   const std::vector<int64_t>& targets, const float* weights);

// The groups of a vocabulary, which must outlive them.
TokenGroups groups_of(const CountedVocabulary& vocabulary);

// What rows [N] give for their targets.
PositionEvaluations collect_evaluations(const std::vector<RowEvaluation>& rows,
                                        const std::vector<int64_t>& targets);

}  // namespace pdl
