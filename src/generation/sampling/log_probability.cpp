#include <cmath>

#include "pdl/generation/sampling/sampling.h"
#include "score_blocks.h"

namespace pdl {

double log_probability(std::span<const float> logits, int32_t id) {
  const double highest = find_highest(logits).highest;
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - highest);
  return logits[static_cast<size_t>(id)] - highest - std::log(sum);
}

std::vector<float> logit_bias(std::span<const int64_t> counts, double tau) {
  std::vector<float> bias(counts.size());
  for (size_t id = 0; id < counts.size(); ++id) {
    bias[id] = static_cast<float>(tau * std::log(static_cast<double>(counts[id]) + 1));
  }
  return bias;
}

void add_bias(std::span<float> logits, std::span<const float> bias) {
  for (size_t id = 0; id < bias.size(); ++id) logits[id] += bias[id];
}

}  // namespace pdl
