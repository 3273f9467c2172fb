// Keeps the account of a run's steps: trained, skipped and spiked. It computes metrics alone and
// changes nothing else of the run.
#pragma once

#include <chrono>
#include <cstdint>
#include <variant>
#include <vector>

#include "pdl/checkpoint/records/trainer_state.h"
#include "pdl/config/run_config.h"
#include "pdl/metrics/metrics.h"
#include "pdl/trainer/step_figures.h"

namespace pdl {

// An event of a step for observers. A spike that is skipped gives both, in this order.
using StepEvent = std::variant<SpikeMetrics, SkipMetrics>;

// Keeps the account of the steps of a run: what they add up to, and what is to be reported of them.
class StepLedger {
 public:
  // Keeps its account in `state`, a part of the run's TrainerState, which must outlive the ledger.
  StepLedger(const TrainingOptions& options, LedgerState& state)
      : options_(options), state_(state) {}

  // Adds a step. Its metrics are read by settle().
  void add(PendingFigures figures) { pending_.push_back(std::move(figures)); }
  bool has_pending() const { return !pending_.empty(); }
  // Returns true if max_bad_steps or more steps in a row could be bad; settle() then tells.
  bool could_diverge() const;

  // Reads the metrics of the steps added since the last call, and returns their events. Waits for
  // the device.
  std::vector<StepEvent> settle();
  // Throws NumericError if max_bad_steps steps in a row had a loss or gradient that is not finite.
  void require_progress() const;
  // For the end of a run: throws NumericError if every step was skipped, so that nothing is
  // trained.
  void require_training() const;

  // Adds wall time of training to the next report().
  void add_time(std::chrono::duration<double> time) { timing_.seconds += time.count(); }
  bool has_unreported() const { return state_.pending.steps > 0; }
  // Returns the metrics of the steps since the last call; `step`, `epoch` and `peak_memory_gb` are
  // left to the caller.
  StepMetrics report();

 private:
  // Covers the steps since the last line, skipped ones too. It belongs to this process and is no
  // part of the state.
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
