// What a frequency table holds and what its weights will do to the training targets, known before
// the first step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/metrics/metrics.h"
#include "pdl/text/tokenizer.h"

namespace pdl {

// Occurrences of every token, [V] each.
struct TokenOccurrences {
  std::span<const int64_t> table;     // the frequency table
  std::span<const int64_t> training;  // among the training targets; for a table alone, the table's
  std::span<const int64_t> evaluation = {};  // among the evaluation targets; empty: there are none
};

// Figures of metrics/metrics.h. `weights` [V] is power_law_weights() of the table at the full alpha
// of `options`. `tokenizer` names the pieces of the top tokens and the special ones; null: none.
// Takes O(V) time.
WeightStatistics weight_statistics(const TokenOccurrences& occurrences,
                                   std::span<const double> weights, const WeightOptions& options,
                                   const Tokenizer* tokenizer);

// Throws DataError if a target of `target_counts` has count 0 in the table, as pdl_unseen "error"
// asks. `what` names the targets in the message, e.g. "training".
void require_seen(std::span<const int64_t> counts, std::span<const int64_t> target_counts,
                  const Tokenizer* tokenizer, const std::string& what);

}  // namespace pdl
