// Detects steps whose loss jumps. It watches the unweighted ce because the weighted loss depends on
// which rare tokens a step happens to have.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pdl {

// The number of steps with which a step is compared.
inline constexpr int64_t kSpikeWindow = 128;

// Returns (ce - mean) / standard deviation over `history`, the ce of the kSpikeWindow steps before.
// Returns 0 if there are fewer, if all are equal, or if `ce` is not finite.
double spike_z_score(std::span<const double> history, double ce);

// Adds a step to the history. Spikes are added too, so that a loss that has changed for good soon
// is no spike. Does nothing for a `ce` that is not finite.
void add_to_history(std::vector<double>& history, double ce);

}  // namespace pdl
