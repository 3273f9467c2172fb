// Self-BLEU: how much samples resemble one another.
#pragma once

#include <cstdint>
#include <optional>

#include "pdl/quality/ngrams.h"

namespace pdl {

inline constexpr int64_t kSelfBleuSamples = 1000;

// What self_bleu() finds.
struct SelfBleu {
  std::optional<double> mean;  // from 0 to 1; none for fewer than two samples
  int64_t skipped = 0;         // samples of fewer than four ids, which are left out
};

// Returns the mean BLEU-4 of each sample with all others as its references, of the first
// kSelfBleuSamples that have four ids or more. A precision without a match counts as 0.1 matches;
// without a single id in common BLEU is 0; the brevity penalty takes the length of the reference
// nearest in length, of two the shorter. That is NLTK's sentence_bleu() with method1, and
// sacrebleu's with smooth_method "floor" and smooth_value 0.1.
//
// Takes time in proportion to the number of n-grams, not of pairs of samples.
SelfBleu self_bleu(const Samples& samples);

}  // namespace pdl
