#include "document_sums.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pdl::report {
namespace {

void add(const std::vector<double>& terms, std::vector<double>& sums) {
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += terms[i];
}

std::optional<double> ratio(double sum, int64_t tokens) {
  if (tokens == 0 || !std::isfinite(sum)) return std::nullopt;
  return sum / static_cast<double>(tokens);
}

BiasedCe means(const DocumentSums& sums, double all, double rare) {
  return {.all = ratio(all, sums.tokens()),
          .rare = ratio(rare, sums.rare_tokens()),
          .head = ratio(all - rare, sums.tokens() - sums.rare_tokens())};
}

// Among equal ones the one nearest to 0, then the lower; a sum that is not finite is never best.
size_t best_index(const std::vector<double>& taus, const std::vector<double>& sums) {
  std::vector<size_t> order(taus.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto rank = [&](size_t i) { return std::isfinite(sums[i]) ? sums[i] : INFINITY; };
  return *std::min_element(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    if (std::abs(taus[a]) != std::abs(taus[b])) return std::abs(taus[a]) < std::abs(taus[b]);
    return taus[a] < taus[b];
  });
}

std::optional<double> between(std::optional<double> low, std::optional<double> high,
                              double weight) {
  if (!low || !high) return std::nullopt;
  return *low + weight * (*high - *low);
}

}  // namespace

DocumentSums sum_documents(const DocumentTable& table) {
  DocumentSums sums{.taus = table.taus, .halves = {}, .documents = table.documents.size()};
  for (HalfSums& half : sums.halves) {
    half.all.assign(table.taus.size(), 0);
    half.rare.assign(table.taus.size(), 0);
  }
  for (size_t i = 0; i < table.documents.size(); ++i) {
    const DocumentFigures& document = table.documents[i];
    HalfSums& half = sums.halves[i % 2];
    half.tokens += document.tokens;
    add(document.ce_sum, half.all);
    for (size_t band = 0; band < kFrequencyBands.size(); ++band) {
      if (kFrequencyBands[band].max_count >= kRareBelow) continue;
      half.rare_tokens += document.bands[band].tokens;
      add(document.bands[band].ce_sum, half.rare);
    }
  }
  return sums;
}

BiasedCe ce_at_index(const DocumentSums& sums, size_t index) {
  const auto& [even, odd] = sums.halves;
  return means(sums, even.all[index] + odd.all[index], even.rare[index] + odd.rare[index]);
}

BiasedCe ce_at(const DocumentSums& sums, double tau) {
  const auto next = std::lower_bound(sums.taus.begin(), sums.taus.end(), tau);
  if (next == sums.taus.end()) return {};
  const auto high = static_cast<size_t>(next - sums.taus.begin());
  if (*next == tau) return ce_at_index(sums, high);
  if (high == 0) return {};
  const double weight = (tau - sums.taus[high - 1]) / (sums.taus[high] - sums.taus[high - 1]);
  const BiasedCe below = ce_at_index(sums, high - 1);
  const BiasedCe above = ce_at_index(sums, high);
  return {.all = between(below.all, above.all, weight),
          .rare = between(below.rare, above.rare, weight),
          .head = between(below.head, above.head, weight)};
}

BiasedCe best_ce(const DocumentSums& sums) {
  double all = 0;
  double rare = 0;
  for (size_t half = 0; half < 2; ++half) {
    const size_t chosen = best_index(sums.taus, sums.halves[1 - half].all);
    all += sums.halves[half].all[chosen];
    rare += sums.halves[half].rare[chosen];
  }
  return means(sums, all, rare);
}

double best_tau(const DocumentSums& sums) {
  std::vector<double> all = sums.halves[0].all;
  add(sums.halves[1].all, all);
  return sums.taus[best_index(sums.taus, all)];
}

}  // namespace pdl::report
