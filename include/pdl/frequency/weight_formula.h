// The Power-Law Decay weights as numbers (arXiv 2505.16900, eq. 3; here with epsilon 1 on counts by
// default).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pdl/config/run_config.h"

namespace pdl {

// The weight of every token, [V] float64, from its count:
//
//   w[t] = 1 / (freq(t) + epsilon)^alpha,   freq(t) = counts[t]  or  counts[t] / Σ counts
//
// then, in this order:
//   unseen   kCountOne: a count of 0 is taken as 1
//   cap      every weight is lowered to pdl_max_ratio · (smallest weight of a token with count > 0)
//   neutral  the tokens `special_ids` get Σ c·w / Σ c over the other tokens
//
// Not rescaled. `alpha` is given apart from `options` because it rises during the warm-up. alpha =
// 0 gives exactly 1. Throws DataError if a weight is not finite and positive in float32, as which
// it is used.
std::vector<double> power_law_weights(std::span<const int64_t> counts, const WeightOptions& options,
                                      std::span<const int32_t> special_ids, double alpha);

// The same without the cap, for reports of what the cap changed. A weight may be more than float32
// holds, even infinite, for the cap may be what keeps it in range.
std::vector<double> uncapped_weights(std::span<const int64_t> counts, const WeightOptions& options,
                                     std::span<const int32_t> special_ids, double alpha);

// alpha of the step with index `step` (from 0): alpha · min(1, step / warmup_steps).
double warmed_up_alpha(double alpha, int64_t step, int64_t warmup_steps);

}  // namespace pdl
