// What a weight table will do to the training targets, known before the first step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pdl/metrics/metrics.h"
#include "pdl/text/tokenizer.h"

namespace pdl {

// Figures of metrics/metrics.h. All spans are [V]:
//   counts         the frequency table
//   target_counts  occurrences among the training targets; the table's own, unless it counts a
//                  reference corpus
//   weights        power_law_weights() of the table
//
// `tokenizer` names the pieces of the top tokens; null leaves them empty.
WeightStatistics weight_statistics(std::span<const int64_t> counts,
                                   std::span<const int64_t> target_counts,
                                   std::span<const double> weights, const Tokenizer* tokenizer);

// Throws DataError if a target of `target_counts` has count 0 in the table, as pdl_unseen "error"
// asks. `what` names the targets in the message, e.g. "training".
void require_seen(std::span<const int64_t> counts, std::span<const int64_t> target_counts,
                  const Tokenizer* tokenizer, const std::string& what);

}  // namespace pdl
