#include "pdl/trainer/step_ledger.h"

#include <cmath>
#include <string>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/trainer/spike_detector.h"

namespace pdl {
namespace {

void accumulate(const StepFigures& step, StepSums& sums) {
  sums.weighted_sum += step.weighted_sum;
  sums.ce_sum += step.ce_sum;
  sums.weight_sum += step.weight_sum;
  sums.square_sum += step.square_sum;
  sums.num_tokens += step.num_tokens;
  sums.steps += 1;
}

}  // namespace

bool StepLedger::could_diverge() const {
  return std::ssize(pending_) + state_.bad_steps_in_a_row >= options_.max_bad_steps;
}

std::vector<StepEvent> StepLedger::settle() {
  const std::vector<StepFigures> figures = read_figures(pending_);
  const std::vector<PendingFigures> steps = std::exchange(pending_, {});
  std::vector<StepEvent> events;
  for (size_t i = 0; i < steps.size(); ++i) book(steps[i], figures[i], events);
  return events;
}

void StepLedger::book(const PendingFigures& step, const StepFigures& figures,
                      std::vector<StepEvent>& events) {
  ++timing_.steps;
  state_.learning_rate = step.learning_rate;
  state_.grad_norm = figures.grad_norm;
  if (!std::isfinite(figures.weighted_sum)) return skip(step, "non-finite loss", true, events);
  if (!std::isfinite(figures.grad_norm)) {
    // The loss scale is found by lowering it until no gradient overflows, so such a step is not a
    // bad one.
    const bool lowers_scale = figures.loss_scale > 1;
    return skip(step, lowers_scale ? "loss scale lowered" : "non-finite gradient", !lowers_scale,
                events);
  }
  if (!(figures.weight_sum > 0)) return skip(step, "no target", true, events);
  state_.bad_steps_in_a_row = 0;
  if (options_.spike_threshold > 0) {
    const double ce = figures.ce_sum / static_cast<double>(figures.num_tokens);
    add_to_history(state_.ce_history, ce);
    if (step.z_score > options_.spike_threshold) {
      events.push_back(SpikeMetrics{
          .step = step.step, .rows = step.sequences, .ce = ce, .z_score = step.z_score});
      if (options_.spike_action == SpikeAction::kSkip) return skip(step, "spike", false, events);
    }
  }
  state_.num_tokens += figures.num_tokens;
  accumulate(figures, state_.pending);
  timing_.num_tokens += figures.num_tokens;
}

void StepLedger::skip(const PendingFigures& step, const char* reason, bool is_bad,
                      std::vector<StepEvent>& events) {
  ++state_.skipped_steps;
  const SkipMetrics skipped{.step = step.step, .rows = step.sequences, .reason = reason};
  if (is_bad) {
    ++state_.bad_steps_in_a_row;
    last_bad_ = skipped;
  }
  events.push_back(skipped);
}

void StepLedger::require_progress() const {
  if (state_.bad_steps_in_a_row < options_.max_bad_steps) return;
  throw NumericError(last_bad_.reason + " in " + std::to_string(state_.bad_steps_in_a_row) +
                     " steps in a row, up to step " + std::to_string(last_bad_.step) +
                     "; metrics.jsonl names their rows: check those texts, or train into another "
                     "output_dir with a lower learning_rate");
}

void StepLedger::require_training() const {
  if (state_.num_tokens > 0) return;
  throw NumericError("all " + std::to_string(state_.skipped_steps) +
                     " steps were skipped, so nothing is trained; metrics.jsonl names the reason "
                     "of each: check those texts and the model, or train into another output_dir");
}

StepMetrics StepLedger::report() {
  const StepSums& sums = state_.pending;
  StepMetrics metrics;
  metrics.loss = sums.weighted_sum / sums.weight_sum;
  metrics.ce = sums.ce_sum / static_cast<double>(sums.num_tokens);
  metrics.ppl = std::exp(metrics.ce);
  metrics.learning_rate = state_.learning_rate;
  metrics.grad_norm = state_.grad_norm;
  metrics.num_tokens = state_.num_tokens;
  metrics.weight_sum = sums.weight_sum;
  metrics.n_eff = sums.weight_sum * sums.weight_sum / sums.square_sum;
  metrics.skipped_steps = state_.skipped_steps;
  metrics.tokens_per_second = static_cast<double>(timing_.num_tokens) / timing_.seconds;
  metrics.step_ms = 1000 * timing_.seconds / static_cast<double>(timing_.steps);
  state_.pending = {};
  timing_ = {};
  return metrics;
}

}  // namespace pdl
