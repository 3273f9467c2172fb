#include "biased_ce.h"

#include <algorithm>
#include <cmath>

#include "pdl/metrics/bias_curve.h"

namespace pdl::report {
namespace {

std::optional<double> ratio(double sum, int64_t tokens) {
  if (tokens == 0 || !std::isfinite(sum)) return std::nullopt;
  return sum / static_cast<double>(tokens);
}

// With the tau of index `even` on the documents with even numbers, and that of `odd` on the others.
BiasedCe ce_at_indices(const HalfSums& halves, size_t even, size_t odd) {
  const double all = halves[0].ce[even] + halves[1].ce[odd];
  const double rare = halves[0].rare_ce[even] + halves[1].rare_ce[odd];
  const int64_t tokens = halves[0].tokens + halves[1].tokens;
  const int64_t rare_tokens = halves[0].rare_tokens + halves[1].rare_tokens;
  return {.all = ratio(all, tokens),
          .rare = ratio(rare, rare_tokens),
          .head = ratio(all - rare, tokens - rare_tokens)};
}

std::optional<double> between(std::optional<double> low, std::optional<double> high,
                              double weight) {
  if (!low || !high) return std::nullopt;
  return *low + weight * (*high - *low);
}

}  // namespace

BiasedSums biased_sums(const DocumentTable& table) {
  return {.taus = table.taus, .halves = sum_halves(to_run_documents(table))};
}

BiasedCe ce_at(const BiasedSums& sums, double tau) {
  const auto next = std::lower_bound(sums.taus.begin(), sums.taus.end(), tau);
  if (next == sums.taus.end()) return {};
  const auto high = static_cast<size_t>(next - sums.taus.begin());
  if (*next == tau) return ce_at_indices(sums.halves, high, high);
  if (high == 0) return {};
  const size_t low = high - 1;
  const double weight = (tau - sums.taus[low]) / (sums.taus[high] - sums.taus[low]);
  const BiasedCe below = ce_at_indices(sums.halves, low, low);
  const BiasedCe above = ce_at_indices(sums.halves, high, high);
  return {.all = between(below.all, above.all, weight),
          .rare = between(below.rare, above.rare, weight),
          .head = between(below.head, above.head, weight)};
}

BiasedCe best_ce(const BiasedSums& sums) {
  const auto [even, odd] = cross_fitted_taus(sums.taus, sums.halves);
  return ce_at_indices(sums.halves, even, odd);
}

double best_tau_of(const BiasedSums& sums) {
  std::vector<double> ce = sums.halves[0].ce;
  for (size_t i = 0; i < ce.size(); ++i) ce[i] += sums.halves[1].ce[i];
  return sums.taus[best_tau(sums.taus, ce)];
}

}  // namespace pdl::report
