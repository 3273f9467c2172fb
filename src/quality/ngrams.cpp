#include "pdl/quality/ngrams.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace pdl {
namespace {

void append_ngrams(std::span<const int32_t> ids, size_t n, std::vector<Ngram>& ngrams) {
  for (size_t begin = 0; begin + n <= ids.size(); ++begin) {
    Ngram& ngram = ngrams.emplace_back();
    ngram.fill(-1);
    std::ranges::copy(ids.subspan(begin, n), ngram.begin());
  }
}

NgramCounts count_sorted(const std::vector<Ngram>& ngrams) {
  NgramCounts counts{.entries = {}, .total = std::ssize(ngrams)};
  for (const Ngram& ngram : ngrams) {
    if (counts.entries.empty() || counts.entries.back().ngram != ngram)
      counts.entries.push_back({ngram, 0});
    ++counts.entries.back().count;
  }
  return counts;
}

}  // namespace

NgramCounts count_ngrams(std::span<const std::vector<int32_t>> samples, int n) {
  std::vector<Ngram> ngrams;
  for (const std::vector<int32_t>& sample : samples)
    append_ngrams(sample, static_cast<size_t>(n), ngrams);
  std::ranges::sort(ngrams);
  return count_sorted(ngrams);
}

std::optional<double> distinct_share(const NgramCounts& counts) {
  if (counts.total == 0) return std::nullopt;
  return static_cast<double>(counts.entries.size()) / static_cast<double>(counts.total);
}

SequenceRepetition sequence_repetition(const Samples& samples, int n) {
  SequenceRepetition result;
  double sum = 0;
  for (const std::vector<int32_t>& sample : samples) {
    const std::optional<double> distinct = distinct_share(count_ngrams({&sample, 1}, n));
    if (distinct) {
      sum += 1 - *distinct;
    } else {
      ++result.skipped;
    }
  }
  const int64_t counted = std::ssize(samples) - result.skipped;
  if (counted > 0) result.mean = sum / static_cast<double>(counted);
  return result;
}

std::optional<double> zipf_exponent(const NgramCounts& counts) {
  const size_t types = counts.entries.size();
  if (types < 2) return std::nullopt;
  std::vector<int64_t> sorted;
  for (const NgramCount& entry : counts.entries) sorted.push_back(entry.count);
  std::ranges::sort(sorted, std::greater<>());
  std::vector<double> x;
  std::vector<double> y;
  double x_sum = 0;
  double y_sum = 0;
  for (size_t i = 0; i < types; ++i) {
    x_sum += x.emplace_back(std::log(static_cast<double>(i + 1)));
    y_sum += y.emplace_back(std::log(static_cast<double>(sorted[i])));
  }
  const double x_mean = x_sum / static_cast<double>(types);
  const double y_mean = y_sum / static_cast<double>(types);
  double products = 0;
  double squares = 0;
  for (size_t i = 0; i < types; ++i) {
    products += (x[i] - x_mean) * (y[i] - y_mean);
    squares += (x[i] - x_mean) * (x[i] - x_mean);
  }
  return products == 0 ? 0 : -products / squares;  // never -0
}

}  // namespace pdl
