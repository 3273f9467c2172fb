#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "pdl/generation/sampling/sampling.h"
#include "score_blocks.h"

namespace pdl {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

bool has_token(std::span<const float> scores, int32_t id) {
  return id >= 0 && static_cast<size_t>(id) < scores.size();
}

void filter(std::span<float> scores, int32_t id) {
  if (has_token(scores, id)) scores[static_cast<size_t>(id)] = kMinusInfinity;
}

void penalise_repetition(std::span<float> scores, std::span<const int32_t> ids, float penalty) {
  // All are read before one is written, so that an id that stands twice is penalised once.
  std::vector<float> penalised(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!has_token(scores, ids[i])) continue;
    const float score = scores[static_cast<size_t>(ids[i])];
    penalised[i] = score < 0 ? score * penalty : score / penalty;
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    if (has_token(scores, ids[i])) scores[static_cast<size_t>(ids[i])] = penalised[i];
  }
}

// Filters the tokens that would end an n-gram which stands in `ids` already.
void ban_repeated_ngrams(std::span<float> scores, std::span<const int32_t> ids, size_t size) {
  if (ids.size() < size) return;
  const std::span<const int32_t> begun = ids.last(size - 1);
  for (size_t first = 0; first + size <= ids.size(); ++first) {
    if (std::equal(begun.begin(), begun.end(), ids.begin() + static_cast<ptrdiff_t>(first))) {
      filter(scores, ids[first + size - 1]);
    }
  }
}

// Returns the k-th highest score; 0 < k <= scores.size().
float kth_highest(std::span<const float> scores, size_t k) {
  // The k highest so far and up to k more, so that most scores cost one comparison.
  std::vector<float> high;
  high.reserve(2 * k);
  float kth = kMinusInfinity;
  const auto drop_below_kth = [&] {
    std::nth_element(high.begin(), high.begin() + static_cast<ptrdiff_t>(k) - 1, high.end(),
                     std::greater<>());
    high.resize(k);
    kth = high.back();
  };
  for (const float score : scores) {
    if (score <= kth) continue;
    high.push_back(score);
    if (high.size() == 2 * k) drop_below_kth();
  }
  if (high.size() >= k) drop_below_kth();
  return kth;
}

void keep_top_k(std::span<float> scores, size_t k) {
  if (k >= scores.size()) return;
  const float kth = kth_highest(scores, k);
  for (float& score : scores) score = score < kth ? kMinusInfinity : score;
}

// The tokens that are left, in ascending order of ids, and their softmax in float32, on which the
// bounds of top_p and min_p are defined.
struct Kept {
  std::vector<uint32_t> ids;
  std::vector<float> probabilities;
};

Kept kept_tokens(std::span<const float> scores, float highest) {
  const auto filtered = std::count(scores.begin(), scores.end(), kMinusInfinity);
  const size_t count = scores.size() - static_cast<size_t>(filtered);
  Kept kept;
  kept.ids.reserve(count);
  kept.probabilities.reserve(count);
  double sum = 0;
  for (size_t id = 0; id < scores.size(); ++id) {
    if (scores[id] == kMinusInfinity) continue;
    kept.ids.push_back(static_cast<uint32_t>(id));
    kept.probabilities.push_back(std::exp(scores[id] - highest));
    sum += kept.probabilities.back();
  }
  for (float& probability : kept.probabilities) probability /= static_cast<float>(sum);
  return kept;
}

// The distance of scores from the highest one, in steps. top_p need only sort the tokens of the
// step at its edge.
class Distance {
 public:
  static constexpr size_t kSteps = 4096;

  explicit Distance(float highest) : highest_(highest) {}
  size_t of(float score) const {
    const float distance = (highest_ - score) * kStepsPerUnit;
    return distance < static_cast<float>(kSteps - 1) ? static_cast<size_t>(distance) : kSteps - 1;
  }

 private:
  static constexpr float kStepsPerUnit = 64;
  float highest_;
};

// Returns the place in `kept` of the lowest token that top_p keeps.
size_t lowest_of_top_p(std::span<const float> scores, const Kept& kept, float highest,
                       float limit) {
  const Distance distance(highest);
  std::vector<double> mass(Distance::kSteps);
  for (size_t i = 0; i < kept.ids.size(); ++i) {
    mass[distance.of(scores[kept.ids[i]])] += kept.probabilities[i];
  }
  size_t edge = mass.size() - 1;
  double below = 0;
  for (; edge > 0 && static_cast<float>(below + mass[edge]) <= limit; --edge) below += mass[edge];

  std::vector<size_t> at_edge;
  for (size_t i = 0; i < kept.ids.size(); ++i) {
    if (distance.of(scores[kept.ids[i]]) == edge) at_edge.push_back(i);
  }
  const auto score = [&](size_t i) { return scores[kept.ids[i]]; };
  std::stable_sort(at_edge.begin(), at_edge.end(),
                   [&](size_t a, size_t b) { return score(a) < score(b); });
  for (const size_t i : at_edge) {
    below += kept.probabilities[i];
    if (static_cast<float>(below) > limit) return i;
  }
  return at_edge.back();
}

// Filters the tokens, taken in ascending order of scores, whose cumulative probability is at most
// 1 - top_p; the last one always stays.
void keep_top_p(std::span<float> scores, float highest, double top_p) {
  const Kept kept = kept_tokens(scores, highest);
  const size_t lowest = lowest_of_top_p(scores, kept, highest, static_cast<float>(1 - top_p));
  const float lowest_score = scores[kept.ids[lowest]];
  for (size_t i = 0; i < kept.ids.size(); ++i) {
    float& score = scores[kept.ids[i]];
    if (score < lowest_score || (score == lowest_score && i < lowest)) score = kMinusInfinity;
  }
}

void keep_min_p(std::span<float> scores, float highest, double min_p) {
  const Kept kept = kept_tokens(scores, highest);
  const float best = *std::max_element(kept.probabilities.begin(), kept.probabilities.end());
  const float bound = static_cast<float>(min_p) * best;
  for (size_t i = 0; i < kept.ids.size(); ++i) {
    if (kept.probabilities[i] < bound) scores[kept.ids[i]] = kMinusInfinity;
  }
}

}  // namespace

void process_scores(std::span<float> scores, std::span<const int32_t> ids,
                    const SamplingOptions& options, std::span<const int32_t> suppressed) {
  find_highest(scores);  // throws before a filter hides what is wrong
  if (options.repetition_penalty != 1) {
    penalise_repetition(scores, ids, static_cast<float>(options.repetition_penalty));
  }
  if (options.no_repeat_ngram_size > 0) {
    ban_repeated_ngrams(scores, ids, static_cast<size_t>(options.no_repeat_ngram_size));
  }
  for (const int32_t id : suppressed) filter(scores, id);
  if (!(options.temperature > 0)) return;

  if (options.temperature != 1) {
    for (float& score : scores) score /= static_cast<float>(options.temperature);
  }
  const float highest = find_highest(scores).highest;
  if (options.top_k > 0) keep_top_k(scores, static_cast<size_t>(options.top_k));
  if (options.top_p < 1) keep_top_p(scores, highest, options.top_p);
  if (options.min_p > 0) keep_min_p(scores, highest, options.min_p);
}

}  // namespace pdl
