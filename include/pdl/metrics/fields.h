// The reported fields under their public names, in the order of metrics.jsonl: the one list that
// the sinks and the trainer's saved state share. `visit` is called as visit(name, field) with an
// int64_t, a double or a std::optional<double>, which it may change if the metrics are not const.
// `step`, the bands, the cap and the top tokens are left to the caller.
#pragma once

#include <concepts>
#include <type_traits>

#include "pdl/metrics/metrics.h"

namespace pdl {

// `Kind`, or a const one.
template <class Metrics, class Kind>
concept MaybeConst = std::same_as<std::remove_const_t<Metrics>, Kind>;

// Calls visit(name, field) for each field but `step`, with the name in metrics.jsonl.
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

// Visits names without the "eval_" that metrics.jsonl puts before each, and no bands.
template <class Visit>
void for_each_field(MaybeConst<EvalMetrics> auto& eval, const Visit& visit) {
  visit("loss", eval.eval_loss);
  visit("ce", eval.eval_ce);
  visit("ppl", eval.eval_ppl);
  visit("tokens", eval.eval_tokens);
  visit("accuracy", eval.eval_accuracy);
}

// Visits the fields of one band in eval_bands.
template <class Visit>
void for_each_field(MaybeConst<BandMetrics> auto& band, const Visit& visit) {
  visit("tokens", band.tokens);
  visit("ce", band.ce);
  visit("accuracy", band.accuracy);
  visit("predicted_mass", band.predicted_mass);
}

// Visits the plain fields of the weights in the start line: no bands, cap and top tokens.
template <class Visit>
void for_each_field(const WeightStatistics& weights, const Visit& visit) {
  visit("counted_tokens", weights.counted_tokens);
  visit("counted_types", weights.counted_types);
  visit("unseen_types", weights.unseen_types);
  visit("w_min", weights.w_min);
  visit("w_mean", weights.w_mean);
  visit("w_max", weights.w_max);
  visit("unseen_share", weights.unseen_share);
  visit("rare_share", weights.rare_share);
  visit("eval_unseen_share", weights.eval_unseen_share);
  visit("eval_rare_share", weights.eval_rare_share);
  visit("unseen_weight_share", weights.unseen_weight_share);
  visit("n_eff", weights.n_eff);
}

// Visits the fields of one band in weight_bands.
template <class Visit>
void for_each_field(const BandWeight& band, const Visit& visit) {
  visit("tokens", band.tokens);
  visit("weight_share", band.weight_share);
}

// Visits what pdl_max_ratio changed.
template <class Visit>
void for_each_field(const CapEffect& cap, const Visit& visit) {
  visit("types", cap.types);
  visit("target_share", cap.target_share);
  visit("weight_share_before", cap.weight_share_before);
  visit("weight_share", cap.weight_share);
}

}  // namespace pdl
