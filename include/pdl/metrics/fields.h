// The reported fields under their public names, in the order of metrics.jsonl: the one list that
// the sinks and the trainer's saved state share. `visit` is called as visit(name, field) with an
// int64_t, a double or a std::optional<double>, which it may change where the metrics are not
// const; `step` and the bands are left to the caller.
#pragma once

#include <concepts>
#include <type_traits>

#include "pdl/metrics/metrics.h"

namespace pdl {

template <class Metrics, class Kind>
concept MaybeConst = std::same_as<std::remove_const_t<Metrics>, Kind>;

template <class Visit>
void for_each_field(MaybeConst<StepMetrics> auto& step, const Visit& visit) {
  visit("loss", step.loss);
  visit("ce", step.ce);
  visit("ppl", step.ppl);
  visit("learning_rate", step.learning_rate);
  visit("grad_norm", step.grad_norm);
  visit("epoch", step.epoch);
  visit("num_tokens", step.num_tokens);
  visit("weight_sum", step.weight_sum);
  visit("n_eff", step.n_eff);
  visit("skipped_steps", step.skipped_steps);
  visit("tokens_per_second", step.tokens_per_second);
  visit("step_ms", step.step_ms);
  visit("peak_memory_gb", step.peak_memory_gb);
}

// Without the "eval_" that metrics.jsonl puts before each name, and without the bands.
template <class Visit>
void for_each_field(MaybeConst<EvalMetrics> auto& eval, const Visit& visit) {
  visit("loss", eval.eval_loss);
  visit("ce", eval.eval_ce);
  visit("ppl", eval.eval_ppl);
  visit("tokens", eval.eval_tokens);
  visit("accuracy", eval.eval_accuracy);
}

template <class Visit>
void for_each_field(MaybeConst<BandMetrics> auto& band, const Visit& visit) {
  visit("tokens", band.tokens);
  visit("ce", band.ce);
  visit("accuracy", band.accuracy);
  visit("predicted_mass", band.predicted_mass);
}

template <class Visit>
void for_each_field(const WeightStatistics& weights, const Visit& visit) {
  visit("w_min", weights.w_min);
  visit("w_mean", weights.w_mean);
  visit("w_max", weights.w_max);
  visit("unseen_share", weights.unseen_share);
  visit("unseen_weight_share", weights.unseen_weight_share);
  visit("n_eff", weights.n_eff);
}

}  // namespace pdl
