// Exact evaluation of a model on rows. Every figure comes from sums by token id, in float64, so
// that none depends on the batch size beyond rounding.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "pdl/metrics/metrics.h"
#include "pdl/model/language_model.h"
#include "pdl/tokens/sequences.h"

namespace pdl {

struct EvaluatorOptions {
  int64_t batch_size = 8;   // rows
  int64_t max_batches = 0;  // 0: all
  int32_t pad_id = 0;
  // Sequences of logits that exist at once, for models with a head; 0: those of the batch.
  int64_t logits_chunk_rows = 0;
  std::function<bool()> stop_requested = {};  // asked before each batch; empty: nothing stops it
};

// Evaluates the targets of `rows`, in order; the model is left in evaluation mode. `weights` [V]
// and `counts` [V] are those of the frequency table at full alpha. `step` is 0. Returns nothing if
// it was stopped.
std::optional<EvalMetrics> evaluate(LanguageModel& model, const Sequences& rows,
                                    const std::vector<double>& weights,
                                    const std::vector<int64_t>& counts,
                                    const EvaluatorOptions& options);

}  // namespace pdl
