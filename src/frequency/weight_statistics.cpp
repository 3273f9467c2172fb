#include "pdl/frequency/weight_statistics.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

constexpr size_t kNumTopTokens = 10;

// The written form of an id; ids behind the tokenizer's are those that a model's vocabulary is
// padded with.
std::string piece_of(size_t token, const Tokenizer* tokenizer) {
  if (tokenizer == nullptr || static_cast<int64_t>(token) >= tokenizer->size()) return "";
  return tokenizer->piece(static_cast<int32_t>(token));
}

}  // namespace

WeightStatistics weight_statistics(std::span<const int64_t> counts,
                                   std::span<const int64_t> target_counts,
                                   std::span<const double> weights, const Tokenizer* tokenizer) {
  WeightStatistics statistics;
  statistics.w_min = std::numeric_limits<double>::infinity();
  double targets = 0;
  double weight_sum = 0;
  double square_sum = 0;
  double unseen_targets = 0;
  double unseen_weight = 0;
  std::vector<double> shares(weights.size());
  for (size_t token = 0; token < weights.size(); ++token) {
    if (counts[token] > 0) {
      statistics.w_min = std::min(statistics.w_min, weights[token]);
      statistics.w_max = std::max(statistics.w_max, weights[token]);
    }
    const auto occurrences = static_cast<double>(target_counts[token]);
    shares[token] = occurrences * weights[token];
    targets += occurrences;
    weight_sum += shares[token];
    square_sum += shares[token] * weights[token];
    if (counts[token] == 0) {
      unseen_targets += occurrences;
      unseen_weight += shares[token];
    }
  }
  statistics.w_mean = weight_sum / targets;
  statistics.unseen_share = unseen_targets / targets;
  statistics.unseen_weight_share = unseen_weight / weight_sum;
  statistics.n_eff = weight_sum / targets * weight_sum / square_sum;

  std::vector<size_t> order(weights.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const size_t num_top = std::min(kNumTopTokens, order.size());
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(num_top), order.end(),
      [&](size_t a, size_t b) { return shares[a] != shares[b] ? shares[a] > shares[b] : a < b; });
  for (size_t i = 0; i < num_top && shares[order[i]] > 0; ++i) {
    const size_t token = order[i];
    statistics.top_tokens.push_back({static_cast<int64_t>(token), piece_of(token, tokenizer),
                                     counts[token], weights[token], shares[token] / weight_sum});
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
