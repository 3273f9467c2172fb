// Metrics with a different value in every field, so that swapped fields are noticed.
#pragma once

#include "pdl/metrics/metrics.h"

namespace pdl {

inline StepMetrics example_step(int64_t step) {
  StepMetrics metrics;
  metrics.step = step;
  metrics.loss = 0.1;  // no finite binary fraction: tests the round trip
  metrics.ce = 2.5;
  metrics.ppl = 12.25;
  metrics.learning_rate = 5e-5;
  metrics.grad_norm = 1.5;
  metrics.epoch = 0.75;
  metrics.num_tokens = 1234567;
  metrics.weight_sum = 98.5;
  metrics.n_eff = 64.5;
  metrics.skipped_steps = 3;
  metrics.tokens_per_second = 4096.5;
  metrics.step_ms = 7.25;
  return metrics;
}

// The first band has no target; band i > 0 has 10·i.
inline EvalMetrics example_eval(int64_t step) {
  EvalMetrics metrics;
  metrics.step = step;
  metrics.eval_loss = 3.5;
  metrics.eval_ce = 3.25;
  metrics.eval_ppl = 25.75;
  metrics.eval_tokens = 210;
  metrics.eval_accuracy = 0.375;
  for (size_t i = 1; i < metrics.eval_bands.size(); ++i) {
    BandMetrics& band = metrics.eval_bands[i];
    band.tokens = 10 * static_cast<int64_t>(i);
    band.ce = static_cast<double>(i) + 0.5;
    band.accuracy = static_cast<double>(i) / 16;
    band.predicted_mass = static_cast<double>(i) / 32;
  }
  return metrics;
}

inline StartMetrics example_start() {
  StartMetrics start;
  start.parameters = 1001;
  start.trainable_parameters = 1000;
  start.num_tokens = 31000;
  start.rows = 1024;
  start.documents = 120;
  start.empty_documents = 2;
  start.steps = 60;
  start.compute = {"cpu", "AVX2", 2};
  start.weights.w_min = 0.1;
  start.weights.w_mean = 0.2;
  start.weights.w_max = 0.9;
  start.weights.counted_tokens = 40000;
  start.weights.counted_types = 380;
  start.weights.unseen_types = 4;
  start.weights.unseen_share = 0.01;
  start.weights.rare_share = 0.03;
  start.weights.eval_unseen_share = 0.04;
  start.weights.eval_rare_share = 0.05;
  for (size_t i = 0; i < kFrequencyBands.size(); ++i) {
    start.weights.weight_bands[i] = {static_cast<int64_t>(i) * 100, static_cast<double>(i) / 32};
  }
  start.weights.cap = {
      .types = 12, .target_share = 0.0625, .weight_share_before = 0.5, .weight_share = 0.25};
  start.weights.unseen_weight_share = 0.02;
  start.weights.n_eff = 0.6;
  start.weights.top_tokens = {{7, "\u2581ka", 400, 0.25, 0.125}, {10, "\n", 3, 0.75, 0.0625}};
  return start;
}

inline RunSummary example_summary() {
  RunSummary summary;
  summary.status = RunStatus::kFinished;
  summary.exit_code = 0;
  summary.steps = 60;
  summary.num_tokens = 93000;
  summary.wall_seconds = 1.5;
  summary.final_train = example_step(60);
  summary.final_eval = example_eval(60);
  summary.best_eval = example_eval(40);
  summary.versions = {{"pdl-train", "0.1.0"}, {"LibTorch", "2.13.0"}};
  summary.git_hash = "abc123";
  summary.compute = {"cpu", "AVX2", 2};
  return summary;
}

}  // namespace pdl
