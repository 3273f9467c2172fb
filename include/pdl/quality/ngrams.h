// Figures of samples that come from counts of their n-grams. A sample is a list of ids, of tokens
// or of words; no n-gram reaches from one sample into the next.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace pdl {

// Lists of ids >= 0, each one sample.
using Samples = std::vector<std::vector<int32_t>>;

inline constexpr int kMaxNgram = 4;
// n ids, then -1.
using Ngram = std::array<int32_t, kMaxNgram>;

// An n-gram and how often it occurs.
struct NgramCount {
  Ngram ngram;
  int64_t count = 0;
};

// The n-grams of samples, each once, in increasing order.
struct NgramCounts {
  std::vector<NgramCount> entries;
  int64_t total = 0;  // the sum of the counts
};

// Counts n-grams, n in [1, kMaxNgram], of all samples together.
NgramCounts count_ngrams(std::span<const std::vector<int32_t>> samples, int n);

// distinct-n of Li et al. (2016): different n-grams / n-grams. None without an n-gram.
std::optional<double> distinct_share(const NgramCounts& counts);

// seq-rep-n of Welleck et al. (2019), and of how many samples it says nothing.
struct SequenceRepetition {
  std::optional<double> mean;  // of 1 - different n-grams / n-grams of each sample
  int64_t skipped = 0;         // samples of fewer than n ids, which are left out
};

// Returns that of samples for n in [1, kMaxNgram].
SequenceRepetition sequence_repetition(const Samples& samples, int n);

// Zipf's exponent: minus the slope of the least-squares line through (ln rank, ln count) of all
// different ids, the most frequent of rank 1. `counts` are those of single ids. None for fewer than
// two different ids.
std::optional<double> zipf_exponent(const NgramCounts& counts);

}  // namespace pdl
