#include "pdl/quality/divergence.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace pdl {
namespace {

// p ln(p / middle), which is 0 for p = 0.
double term(double p, double middle) { return p > 0 ? p * std::log(p / middle) : 0; }

std::vector<int64_t> counts_by_id(const NgramCounts& counts, int64_t vocab_size) {
  std::vector<int64_t> by_id(static_cast<size_t>(vocab_size), 0);
  for (const NgramCount& entry : counts.entries)
    by_id[static_cast<size_t>(entry.ngram.front())] = entry.count;
  return by_id;
}

}  // namespace

std::optional<double> jensen_shannon(const NgramCounts& a, const NgramCounts& b) {
  if (a.total == 0 || b.total == 0) return std::nullopt;
  double sum = 0;
  const auto add = [&](int64_t count_a, int64_t count_b) {
    const double p = static_cast<double>(count_a) / static_cast<double>(a.total);
    const double q = static_cast<double>(count_b) / static_cast<double>(b.total);
    sum += (term(p, (p + q) / 2) + term(q, (p + q) / 2)) / 2;
  };
  auto next_a = a.entries.begin();
  auto next_b = b.entries.begin();
  while (next_a != a.entries.end() || next_b != b.entries.end()) {
    const bool is_b_over = next_b == b.entries.end();
    const bool takes_a = next_a != a.entries.end() && (is_b_over || next_a->ngram <= next_b->ngram);
    const bool takes_b =
        !is_b_over && (next_a == a.entries.end() || next_b->ngram <= next_a->ngram);
    add(takes_a ? next_a->count : 0, takes_b ? next_b->count : 0);
    if (takes_a) ++next_a;
    if (takes_b) ++next_b;
  }
  return std::max(sum, 0.0);  // rounding may leave less
}

std::optional<double> smoothed_kl(const NgramCounts& reference, const NgramCounts& text,
                                  int64_t vocab_size) {
  if (reference.total == 0 || text.total == 0) return std::nullopt;
  const std::vector<int64_t> reference_counts = counts_by_id(reference, vocab_size);
  const std::vector<int64_t> text_counts = counts_by_id(text, vocab_size);
  double sum = 0;
  for (size_t id = 0; id < reference_counts.size(); ++id) {
    const double p = static_cast<double>(reference_counts[id] + 1) /
                     static_cast<double>(reference.total + vocab_size);
    const double q =
        static_cast<double>(text_counts[id] + 1) / static_cast<double>(text.total + vocab_size);
    sum += p * std::log(p / q);
  }
  return std::max(sum, 0.0);
}

}  // namespace pdl
