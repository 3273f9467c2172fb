// What a run has trained, skipped and seen spike: the account of its steps. Plain numbers; nothing
// is computed or changed here but figures.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "pdl/checkpoint/records/trainer_state.h"
#include "pdl/config/run_config.h"
#include "pdl/metrics/metrics.h"
#include "pdl/trainer/step_figures.h"

namespace pdl {

// What observers are told of a step: spiked, skipped, or both in this order.
using StepEvent = std::variant<SpikeMetrics, SkipMetrics>;

class StepLedger {
 public:
  // Keeps its account in `state`, a part of the run's TrainerState, which must outlive the ledger.
  StepLedger(const TrainingOptions& options, LedgerState& state)
      : options_(options), state_(state) {}

  // Enters a step. Its figures are read by settle().
  void add(PendingFigures figures) { pending_.push_back(std::move(figures)); }
  bool has_pending() const { return !pending_.empty(); }
  // True if more steps in a row could be bad than max_bad_steps allows: then settle.
  bool could_diverge() const;

  // Books the steps entered since the last call, and returns what happened in them. Waits for the
  // device.
  std::vector<StepEvent> settle();
  // Throws NumericError if max_bad_steps steps in a row had a loss or gradient that is not finite.
  void require_progress() const;

  // Adds wall time of training to the line that report() gives.
  void add_seconds(double seconds) { timing_.seconds += seconds; }
  bool has_unreported() const { return state_.pending.steps > 0; }
  // The figures of the steps since the last call; `step`, `epoch` and `peak_memory_gb` are left to
  // the caller.
  StepMetrics report();

 private:
  // Of the steps since the last line. Of this process, so it is not part of the state.
  struct Timing {
    int64_t num_tokens = 0;
    int64_t steps = 0;
    double seconds = 0;
  };

  void book(const PendingFigures& step, const StepFigures& figures, std::vector<StepEvent>& events);
  void skip(const PendingFigures& step, const char* reason, bool is_bad,
            std::vector<StepEvent>& events);

  TrainingOptions options_;
  LedgerState& state_;
  std::vector<PendingFigures> pending_;
  SkipMetrics last_bad_;  // for require_progress()
  Timing timing_;
};

}  // namespace pdl
