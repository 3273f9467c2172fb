// The rule that turns figures over seeds into a verdict. Private to the module.
#pragma once

#include <cstdint>
#include <optional>

#include "pdl/comparison/comparison.h"
#include "statistics.h"

namespace pdl {

// The rule at the head of pdl/comparison/comparison.h. `r`, if any, is of as many seeds as `g`.
Verdict verdict_of(const SampleMoments& g, const std::optional<SampleMoments>& r, double delta);

// Returns the least number of seeds, at least 5, that would give another verdict than "not shown"
// if means and deviations stayed as they are. Nothing for one seed, which has no deviation, and
// where 10,000 would not be enough.
std::optional<int64_t> seeds_needed(const SampleMoments& g, const std::optional<SampleMoments>& r,
                                    double delta);

}  // namespace pdl
