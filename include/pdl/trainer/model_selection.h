// Which evaluated model is the best, and when no better one is expected.
#pragma once

#include <cstdint>
#include <optional>

#include "pdl/checkpoint/records/trainer_state.h"
#include "pdl/config/run_config.h"
#include "pdl/metrics/metrics.h"

namespace pdl {

class ModelSelection {
 public:
  // Keeps what it knows in `state`, a part of the run's TrainerState, which must outlive this.
  ModelSelection(const EvaluationOptions& options, SelectionState& state)
      : options_(options), state_(state) {}

  // Enters an evaluation. True if it is the best so far by metric_for_best_model: below all before,
  // or above for eval_accuracy. One that is not finite is never the best.
  bool add(const EvalMetrics& evaluation);

  // True after early_stopping_patience evaluations in a row without improvement.
  bool stopped_early() const { return state_.stopped_early; }
  // Whether the run goes back to the best model when it ends.
  bool keeps_best() const { return options_.early_stopping_patience > 0; }
  // The step of the model to go back to; none if none is kept, or there is no evaluation yet.
  std::optional<int64_t> best_step() const;

 private:
  bool is_better(const EvalMetrics& candidate) const;

  EvaluationOptions options_;
  SelectionState& state_;
};

}  // namespace pdl
