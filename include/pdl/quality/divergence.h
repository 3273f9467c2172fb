// How far the distributions of two texts are apart, in nats.
#pragma once

#include <cstdint>
#include <optional>

#include "pdl/quality/ngrams.h"

namespace pdl {

// The Jensen-Shannon divergence of the relative frequencies, not its root: from 0 to ln 2. None if
// one has no n-gram. Symmetric.
std::optional<double> jensen_shannon(const NgramCounts& a, const NgramCounts& b);

// KL(reference || text) of the ids of a vocabulary, each counted once more than it occurs. The
// counts are of single ids in [0, vocab_size). None if one has no id.
std::optional<double> smoothed_kl(const NgramCounts& reference, const NgramCounts& text,
                                  int64_t vocab_size);

}  // namespace pdl
