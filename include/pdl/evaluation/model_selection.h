// Tracks which evaluated model is the best, and decides when to stop early.
#pragma once

#include <cstdint>
#include <optional>

#include "pdl/checkpoint/records/trainer_state.h"
#include "pdl/config/run_config.h"
#include "pdl/metrics/metrics.h"

namespace pdl {

// Finds the best evaluation, and when early stopping ends a run.
class ModelSelection {
 public:
  // Keeps its state in `state`, a part of the run's TrainerState, which must outlive this.
  ModelSelection(const EvaluationOptions& options, SelectionState& state)
      : options_(options), state_(state) {}

  // Adds an evaluation. Returns true if it is the best so far by metric_for_best_model: the lowest,
  // or the highest for eval_accuracy. One that is not finite is never the best.
  bool add(const EvalMetrics& evaluation);

  // Whether early_stopping_patience evaluations in a row brought no improvement.
  bool stopped_early() const { return state_.stopped_early; }
  // Whether the run restores the best model when it ends.
  bool keeps_best() const { return options_.early_stopping_patience > 0; }
  // Returns the step of the model to restore; none if none is kept, or there is no evaluation yet.
  std::optional<int64_t> best_step() const;

 private:
  bool is_better(const EvalMetrics& candidate) const;

  EvaluationOptions options_;
  SelectionState& state_;
};

}  // namespace pdl
