// metrics.jsonl: the run as one JSON object a line, each appended with one write as soon as it is
// known, so that a run that dies leaves every line before its death. Numbers round-trip; a
// non-finite one is null. The "event" of a line and its other members:
//
//   start   parameters, trainable_parameters, num_tokens, steps, rows, documents, empty_documents,
//           and the fields of WeightStatistics: counted_tokens, counted_types, unseen_types,
//           w_min, w_mean, w_max, unseen_share, rare_share, eval_unseen_share, eval_rare_share,
//           unseen_weight_share, n_eff,
//           weight_bands: {"<band>": {tokens, weight_share}},
//           cap: {types, target_share, weight_share_before, weight_share}, null with
//           pdl_max_ratio off,
//           top_tokens: [{id, piece, count, weight, weight_share}]
//   train   step, and the fields of StepMetrics
//   eval    step, and the fields of EvalMetrics;
//           eval_bands: {"<band>": {tokens, ce, accuracy, predicted_mass}}
//   skip    step, rows, reason
//   spike   step, rows, ce, z_score
//   resume  step
//   end     what summary.json says
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "pdl/base/file.h"
#include "pdl/metrics/observer.h"

namespace pdl {

// What the run goes on from.
struct ResumePoint {
  int64_t step = 0;
  bool evaluation_due = false;  // the evaluation of that step is still to come
};

// Not thread-safe. Every function throws StorageError if the file cannot be written.
class JsonlSink : public RunObserver {
 public:
  // Without a resume point the file begins anew. With it, the run goes on from a checkpoint, so the
  // file is first cut back to what was known then: lines of later steps, an "end"
  // line and an incomplete last line go. The kept part replaces the file in one piece: a crash
  // meanwhile loses none of it. A line that is no JSON object is dropped with a warning. A file
  // that is gone begins anew.
  JsonlSink(const std::filesystem::path& path, std::optional<ResumePoint> resumed);

  // Writes the start line unless the kept part has one: a run has it once.
  void on_start(const StartMetrics& start) override;
  void on_resume(int64_t step) override;
  void on_step(const StepMetrics& step) override;
  void on_skip(const SkipMetrics& skip) override;
  void on_spike(const SpikeMetrics& spike) override;
  void on_eval(const EvalMetrics& eval) override;
  void on_end(const RunSummary& summary) override;

 private:
  bool has_start_line_;
  AppendFile file_;
};

// One line without line feed: eval_loss, eval_ce, eval_ppl, eval_tokens, eval_accuracy, eval_bands.
// No step: a model that is evaluated by itself has none.
std::string eval_metrics_json(const EvalMetrics& eval);

// The text of summary.json, indented: status, exit_code, steps, num_tokens, wall_seconds, final
// (the fields of the last train line and of the last evaluation side by side), best (step and the
// fields of that evaluation; null without one), versions, git_hash, and of a profiled run "profile"
// (seconds and calls by phase).
std::string run_summary_json(const RunSummary& summary);

}  // namespace pdl
