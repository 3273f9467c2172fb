#include "pdl/weights/weight_formula.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "pdl/base/error.h"

namespace pdl {
namespace {

void cap(std::span<const int64_t> counts, double max_ratio, std::vector<double>& weights) {
  double smallest = std::numeric_limits<double>::infinity();
  for (size_t token = 0; token < weights.size(); ++token) {
    if (counts[token] > 0) smallest = std::min(smallest, weights[token]);
  }
  for (double& weight : weights) weight = std::min(weight, max_ratio * smallest);
}

void neutralise(std::span<const int64_t> counts, std::span<const int32_t> special_ids,
                std::vector<double>& weights) {
  std::vector<bool> is_special(weights.size());
  for (const int32_t id : special_ids) is_special[static_cast<size_t>(id)] = true;
  double weight_sum = 0;
  double count_sum = 0;
  for (size_t token = 0; token < weights.size(); ++token) {
    if (is_special[token]) continue;
    weight_sum += static_cast<double>(counts[token]) * weights[token];
    count_sum += static_cast<double>(counts[token]);
  }
  if (count_sum == 0) {
    throw DataError(
        "pdl_special_tokens \"neutral\" needs a count of at least one token that is not special");
  }
  for (const int32_t id : special_ids) weights[static_cast<size_t>(id)] = weight_sum / count_sum;
}

void require_float32(const std::vector<double>& weights, const WeightOptions& options,
                     double alpha) {
  for (const double weight : weights) {
    if (weight >= std::numeric_limits<float>::min() && weight <= std::numeric_limits<float>::max())
      continue;
    throw DataError(
        "pdl_alpha " + std::to_string(alpha) + " with pdl_epsilon " +
        std::to_string(options.pdl_epsilon) +
        " gives a weight that float32 cannot hold; lower pdl_alpha or raise pdl_epsilon");
  }
}

// Whatever the range of float32.
std::vector<double> exact_weights(std::span<const int64_t> counts, const WeightOptions& options,
                                  std::span<const int32_t> special_ids, double alpha) {
  const int64_t total = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  if (total == 0) throw DataError("the frequency table has no count above 0");
  const double unit =
      options.pdl_frequency == FrequencyUnit::kRelative ? 1.0 / static_cast<double>(total) : 1.0;
  std::vector<double> weights(counts.size());
  for (size_t token = 0; token < counts.size(); ++token) {
    const bool as_if_seen = options.pdl_unseen == UnseenPolicy::kCountOne && counts[token] == 0;
    const double count = as_if_seen ? 1.0 : static_cast<double>(counts[token]);
    weights[token] = std::pow(count * unit + options.pdl_epsilon, -alpha);
  }
  if (options.pdl_max_ratio > 0) cap(counts, options.pdl_max_ratio, weights);
  if (options.pdl_special_tokens == SpecialTokenPolicy::kNeutral && !special_ids.empty()) {
    neutralise(counts, special_ids, weights);
  }
  return weights;
}

}  // namespace

std::vector<double> power_law_weights(std::span<const int64_t> counts, const WeightOptions& options,
                                      std::span<const int32_t> special_ids, double alpha) {
  std::vector<double> weights = exact_weights(counts, options, special_ids, alpha);
  require_float32(weights, options, alpha);
  return weights;
}

std::vector<double> uncapped_weights(std::span<const int64_t> counts, const WeightOptions& options,
                                     std::span<const int32_t> special_ids, double alpha) {
  WeightOptions uncapped = options;
  uncapped.pdl_max_ratio = 0;
  return exact_weights(counts, uncapped, special_ids, alpha);
}

double warmed_up_alpha(double alpha, int64_t step, int64_t warmup_steps) {
  if (step >= warmup_steps) return alpha;
  return alpha * static_cast<double>(step) / static_cast<double>(warmup_steps);
}

}  // namespace pdl
