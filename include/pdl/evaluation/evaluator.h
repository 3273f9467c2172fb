// Evaluates a model on sequences exactly: every figure comes from float64 sums by token id, so that
// none depends on the batch size beyond rounding.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "pdl/batches/batch.h"
#include "pdl/loss/weight_table.h"
#include "pdl/metrics/document_figures.h"
#include "pdl/metrics/metrics.h"
#include "pdl/model/language_model.h"
#include "pdl/tokens/sequences.h"

namespace pdl {

// How an evaluation is batched, and how much of the sequences it covers.
struct EvaluatorOptions {
  int64_t batch_size = 8;   // sequences
  int64_t max_batches = 0;  // 0: all
  BatchOptions batch = {};
  // Positions whose logits exist at once, for models that split their head; 0: all of the batch.
  int64_t chunk_positions = 0;
  // A grid of tau, for which the evaluation is also made with tau·ln(count + 1) added to the
  // logits, with the counts of the weights; empty: none. The other figures keep their bits.
  std::vector<double> taus = {};
};

// Evaluates the targets of `sequences`, in order, and leaves the model in evaluation mode. Weights
// are those at full alpha, bands those of the counts of `weights`. `step` of the result is 0.
// `goes_on`, if not empty, is asked before each batch; once it returns false, the evaluation ends
// without a result.
// With a grid, what it finds of each document is written to `documents`, unless that is null. A
// target whose ce is not finite is part of every figure, counted, and told in a line of the log.
std::optional<EvalMetrics> evaluate(LanguageModel& model, const Sequences& sequences,
                                    const WeightTable& weights, const EvaluatorOptions& options,
                                    const std::function<bool()>& goes_on = {},
                                    DocumentTable* documents = nullptr);

}  // namespace pdl
