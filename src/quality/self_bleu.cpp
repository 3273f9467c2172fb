#include "pdl/quality/self_bleu.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <vector>

namespace pdl {
namespace {

// The largest counts of an n-gram in two samples, so that that of all samples but one is known
// whichever that is.
struct LargestCounts {
  int64_t first = 0;
  size_t sample = 0;  // whose count `first` is
  int64_t second = 0;

  void add(size_t other, int64_t count) {
    if (count > first) {
      second = first;
      first = count;
      sample = other;
    } else {
      second = std::max(second, count);
    }
  }
  int64_t without(size_t excluded) const { return excluded == sample ? second : first; }
};

struct Matches {
  int64_t matched = 0;  // n-grams, each at most as often as in one reference
  int64_t total = 0;
};

// Of each sample, the matches of its n-grams in the others.
std::vector<Matches> match(const Samples& samples, int n) {
  std::vector<NgramCounts> counts;
  std::map<Ngram, LargestCounts> largest;
  for (size_t i = 0; i < samples.size(); ++i) {
    counts.push_back(count_ngrams({&samples[i], 1}, n));
    for (const NgramCount& entry : counts.back().entries) largest[entry.ngram].add(i, entry.count);
  }
  std::vector<Matches> matches;
  for (size_t i = 0; i < samples.size(); ++i) {
    Matches& own = matches.emplace_back(Matches{.matched = 0, .total = counts[i].total});
    for (const NgramCount& entry : counts[i].entries)
      own.matched += std::min(entry.count, largest.at(entry.ngram).without(i));
  }
  return matches;
}

// The length nearest to `length` of all but one that is `length`; of two the shorter.
int64_t nearest_other(const std::vector<int64_t>& sorted, int64_t length) {
  const auto own = std::ranges::lower_bound(sorted, length);
  const auto after = own + 1;
  if (own == sorted.begin()) return *after;
  const int64_t shorter = *(own - 1);
  if (after == sorted.end()) return shorter;
  return *after - length < length - shorter ? *after : shorter;
}

double brevity_penalty(int64_t length, int64_t reference) {
  if (length > reference) return 1;
  return std::exp(1 - static_cast<double>(reference) / static_cast<double>(length));
}

double bleu(const std::array<Matches, kMaxNgram>& matches, double penalty) {
  constexpr double kUnmatched = 0.1;
  if (matches.front().matched == 0) return 0;
  double logarithms = 0;
  for (const Matches& order : matches) {
    const double matched = order.matched == 0 ? kUnmatched : static_cast<double>(order.matched);
    logarithms += std::log(matched / static_cast<double>(order.total));
  }
  return penalty * std::exp(logarithms / kMaxNgram);
}

}  // namespace

SelfBleu self_bleu(const Samples& samples) {
  SelfBleu result;
  Samples kept;
  for (const std::vector<int32_t>& sample : samples) {
    if (std::ssize(sample) < kMaxNgram) {
      ++result.skipped;
    } else if (std::ssize(kept) < kSelfBleuSamples) {
      kept.push_back(sample);
    }
  }
  if (kept.size() < 2) return result;

  std::array<std::vector<Matches>, kMaxNgram> orders;
  for (int n = 1; n <= kMaxNgram; ++n) orders[static_cast<size_t>(n - 1)] = match(kept, n);
  std::vector<int64_t> lengths;
  for (const std::vector<int32_t>& sample : kept) lengths.push_back(std::ssize(sample));
  std::ranges::sort(lengths);
  double sum = 0;
  for (size_t i = 0; i < kept.size(); ++i) {
    std::array<Matches, kMaxNgram> matches;
    for (size_t n = 0; n < orders.size(); ++n) matches[n] = orders[n][i];
    const int64_t length = std::ssize(kept[i]);
    sum += bleu(matches, brevity_penalty(length, nearest_other(lengths, length)));
  }
  result.mean = sum / static_cast<double>(kept.size());
  return result;
}

}  // namespace pdl
