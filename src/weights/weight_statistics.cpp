#include "pdl/weights/weight_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/weights/weight_formula.h"

namespace pdl {
namespace {

constexpr size_t kNumTopTokens = 20;

// Ids past the tokenizer's exist because the vocabularies of models are padded.
std::string piece_of(size_t token, const Tokenizer* tokenizer) {
  if (tokenizer == nullptr || static_cast<int64_t>(token) >= tokenizer->size()) return "";
  return tokenizer->piece(static_cast<int32_t>(token));
}

void add_table_figures(std::span<const int64_t> counts, std::span<const double> weights,
                       WeightStatistics& statistics) {
  statistics.w_min = std::numeric_limits<double>::infinity();
  for (size_t token = 0; token < counts.size(); ++token) {
    if (counts[token] == 0) {
      ++statistics.unseen_types;
      continue;
    }
    ++statistics.counted_types;
    statistics.counted_tokens += counts[token];
    statistics.w_min = std::min(statistics.w_min, weights[token]);
    statistics.w_max = std::max(statistics.w_max, weights[token]);
  }
}

// Returns the share of the targets whose count in the table is below `limit`.
double share_below(int64_t limit, std::span<const int64_t> counts,
                   std::span<const int64_t> target_counts) {
  int64_t below = 0;
  int64_t all = 0;
  for (size_t token = 0; token < counts.size(); ++token) {
    all += target_counts[token];
    if (counts[token] < limit) below += target_counts[token];
  }
  return static_cast<double>(below) / static_cast<double>(all);
}

// Returns the loss weight of all targets of each token.
std::vector<double> products(std::span<const int64_t> target_counts,
                             std::span<const double> weights) {
  std::vector<double> held(weights.size());
  for (size_t token = 0; token < weights.size(); ++token) {
    held[token] = static_cast<double>(target_counts[token]) * weights[token];
  }
  return held;
}

// Sorts by share, largest first, and equal shares by id; leaves out tokens without a share.
std::vector<size_t> largest(const std::vector<double>& held) {
  std::vector<size_t> order(held.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::erase_if(order, [&](size_t token) { return held[token] <= 0; });
  const size_t num_top = std::min(kNumTopTokens, order.size());
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(num_top), order.end(),
      [&](size_t a, size_t b) { return held[a] != held[b] ? held[a] > held[b] : a < b; });
  order.resize(num_top);
  return order;
}

// Leaves out neutral tokens: their weight follows the mean of the others, which the cap lowers, but
// the cap itself does not lower it.
CapEffect cap_effect(const TokenOccurrences& occurrences, std::span<const double> weights,
                     const WeightOptions& options, const Tokenizer* tokenizer) {
  const std::vector<int32_t> special_ids =
      tokenizer == nullptr ? std::vector<int32_t>{} : tokenizer->special_ids();
  const std::vector<double> uncapped =
      uncapped_weights(occurrences.table, options, special_ids, options.pdl_alpha);
  std::vector<bool> is_neutral(weights.size());
  if (options.pdl_special_tokens == SpecialTokenPolicy::kNeutral) {
    for (const int32_t id : special_ids) is_neutral[static_cast<size_t>(id)] = true;
  }
  CapEffect effect;
  double targets = 0;
  double lowered_targets = 0;
  double before = 0;
  double lowered_before = 0;
  double after = 0;
  double lowered_after = 0;
  for (size_t token = 0; token < weights.size(); ++token) {
    const bool is_lowered = uncapped[token] > weights[token] && !is_neutral[token];
    effect.types += is_lowered ? 1 : 0;
    if (occurrences.training[token] == 0) continue;
    const auto count = static_cast<double>(occurrences.training[token]);
    targets += count;
    before += count * uncapped[token];
    after += count * weights[token];
    if (!is_lowered) continue;
    lowered_targets += count;
    lowered_before += count * uncapped[token];
    lowered_after += count * weights[token];
  }
  effect.target_share = lowered_targets / targets;
  // If a weight without the cap is infinite, those tokens would have the share 1.
  effect.weight_share_before = std::isinf(lowered_before) ? 1.0 : lowered_before / before;
  effect.weight_share = lowered_after / after;
  return effect;
}

}  // namespace

WeightStatistics weight_statistics(const TokenOccurrences& occurrences,
                                   std::span<const double> weights, const WeightOptions& options,
                                   const Tokenizer* tokenizer) {
  WeightStatistics statistics;
  add_table_figures(occurrences.table, weights, statistics);
  const std::vector<double> held = products(occurrences.training, weights);
  const auto targets = static_cast<double>(
      std::accumulate(occurrences.training.begin(), occurrences.training.end(), int64_t{0}));
  const double weight_sum = std::accumulate(held.begin(), held.end(), 0.0);
  const double square_sum = std::inner_product(held.begin(), held.end(), weights.begin(), 0.0);
  statistics.w_mean = weight_sum / targets;
  statistics.n_eff = weight_sum / targets * weight_sum / square_sum;
  statistics.unseen_share = share_below(1, occurrences.table, occurrences.training);
  statistics.rare_share = share_below(kRareCount, occurrences.table, occurrences.training);
  if (!occurrences.evaluation.empty()) {
    statistics.eval_unseen_share = share_below(1, occurrences.table, occurrences.evaluation);
    statistics.eval_rare_share = share_below(kRareCount, occurrences.table, occurrences.evaluation);
  }
  for (size_t token = 0; token < weights.size(); ++token) {
    BandWeight& band =
        statistics.weight_bands[static_cast<size_t>(band_of_count(occurrences.table[token]))];
    band.tokens += occurrences.training[token];
    band.weight_share += held[token];
  }
  // Divides last, so that a band with every target has the share 1 exactly.
  for (BandWeight& band : statistics.weight_bands) band.weight_share /= weight_sum;
  statistics.unseen_weight_share = statistics.weight_bands.front().weight_share;
  if (options.pdl_max_ratio > 0) {
    statistics.cap = cap_effect(occurrences, weights, options, tokenizer);
  }
  for (const size_t token : largest(held)) {
    statistics.top_tokens.push_back({static_cast<int64_t>(token), piece_of(token, tokenizer),
                                     occurrences.table[token], weights[token],
                                     held[token] / weight_sum});
  }
  return statistics;
}

void require_seen(std::span<const int64_t> counts, std::span<const int64_t> target_counts,
                  const Tokenizer* tokenizer, const std::string& what) {
  for (size_t token = 0; token < counts.size(); ++token) {
    if (counts[token] > 0 || target_counts[token] == 0) continue;
    throw DataError(
        "pdl_unseen is \"error\" and the " + what + " target " + std::to_string(token) + " ('" +
        printable(piece_of(token, tokenizer)) +
        "') is not in the frequency table; count a larger corpus or choose another pdl_unseen");
  }
}

}  // namespace pdl
