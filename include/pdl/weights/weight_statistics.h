// Statistics of a frequency table and of the effect of its weights on the training targets, known
// before the first step.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/frequency/bands.h"
#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// A token and its share of the loss weight of the training targets.
struct TokenShare {
  int64_t id;
  std::string piece;
  int64_t count;  // in the frequency table
  double weight;
  double weight_share;  // targets·weight / Σ targets·weight, in [0, 1]
};

// Targets below this training count are called rare.
inline constexpr int64_t kRareCount = 5;

// The training targets of one frequency band.
struct BandWeight {
  int64_t tokens = 0;
  double weight_share = 0;  // of the loss weight of all training targets
};

// The effect of pdl_max_ratio: the types whose weight it lowered, and their shares.
struct CapEffect {
  int64_t types = 0;
  double target_share = 0;         // of the training targets
  double weight_share_before = 0;  // of the loss weight, if nothing were capped
  double weight_share = 0;         // of the loss weight as it is
};

// A type is a distinct token id.
struct WeightStatistics {
  int64_t counted_tokens = 0;  // Σ counts of the frequency table
  int64_t counted_types = 0;   // ids with count > 0
  int64_t unseen_types = 0;    // ids of the vocabulary with count 0
  double w_min = 0;            // over tokens with count > 0
  double w_max = 0;
  double w_mean = 0;                        // over the training targets, i.e. occurrence-weighted
  double unseen_share = 0;                  // share of the training targets with count 0
  double rare_share = 0;                    // share with a count below kRareCount, 0 included
  std::optional<double> eval_unseen_share;  // the same of the evaluation targets; none without them
  std::optional<double> eval_rare_share;
  double unseen_weight_share = 0;  // share of the loss weight on targets with count 0
  double n_eff = 0;                // (Σw)² / (n·Σw²) over the n training targets, in (0, 1]
  std::array<BandWeight, kFrequencyBands.size()> weight_bands;
  std::optional<CapEffect> cap;        // none with pdl_max_ratio off
  std::vector<TokenShare> top_tokens;  // by weight_share, largest first; at most twenty
};

// The occurrences of every token, [V] each.
struct TokenOccurrences {
  std::span<const int64_t> table;     // the frequency table
  std::span<const int64_t> training;  // among the training targets; without data, the table's
  std::span<const int64_t> evaluation = {};  // among the evaluation targets; empty: there are none
};

// Computes the statistics in O(V) time. `weights` [V] is power_law_weights() of the table at the
// full alpha of `options`. `tokenizer` gives the pieces of the top tokens and the special ids;
// null: none.
WeightStatistics weight_statistics(const TokenOccurrences& occurrences,
                                   std::span<const double> weights, const WeightOptions& options,
                                   const Tokenizer* tokenizer);

// Throws DataError if a target of `target_counts` has count 0 in the table, as pdl_unseen "error"
// demands. `what` names the targets in the message, e.g. "training".
void require_seen(std::span<const int64_t> counts, std::span<const int64_t> target_counts,
                  const Tokenizer* tokenizer, const std::string& what);

}  // namespace pdl
