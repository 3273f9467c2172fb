// The Power-Law Decay weights (arXiv 2505.16900, eq. 3), by default with epsilon 1 on counts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pdl/config/run_config.h"

namespace pdl {

// Returns the weight of every token, [V] float64, from its count:
//
//   w[t] = 1 / (freq(t) + epsilon)^alpha,   freq(t) = counts[t]  or  counts[t] / Σ counts
//
// and then, in this order:
//   unseen   kCountOne: a count of 0 is taken as 1
//   cap      every weight is lowered to pdl_max_ratio · (smallest weight of a token with count > 0)
//   neutral  the tokens `special_ids` get Σ c·w / Σ c over the other tokens
//
// Weights are not rescaled. `alpha` is not read from `options` because it rises during the warm-up;
// 0 gives weights of exactly 1. Throws DataError if a weight is not finite and positive in float32,
// in which it is used.
std::vector<double> power_law_weights(std::span<const int64_t> counts, const WeightOptions& options,
                                      std::span<const int32_t> special_ids, double alpha);

// Returns the weights without the cap, for reports of what the cap changed. A weight may be larger
// than float32 can hold, even infinite, because it may be the cap that keeps it in range.
std::vector<double> uncapped_weights(std::span<const int64_t> counts, const WeightOptions& options,
                                     std::span<const int32_t> special_ids, double alpha);

// Returns the alpha of the step with index `step` (from 0): alpha · min(1, step / warmup_steps).
double warmed_up_alpha(double alpha, int64_t step, int64_t warmup_steps);

}  // namespace pdl
