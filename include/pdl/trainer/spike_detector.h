// Steps whose loss jumps. The unweighted ce is watched: the weighted loss depends on which rare
// tokens a step happens to have.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pdl {

// Number of steps that a step is compared with.
inline constexpr int64_t kSpikeWindow = 128;

// (ce - mean) / standard deviation over `history`, the ce of the kSpikeWindow steps before; 0 while
// there are fewer, and if all of them are equal or `ce` is not finite.
double spike_z_score(std::span<const double> history, double ce);

// Adds a step to the history, spikes too: a loss that has changed for good is no spike for long.
// Without effect for a `ce` that is not finite.
void add_to_history(std::vector<double>& history, double ce);

}  // namespace pdl
