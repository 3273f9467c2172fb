// Writes metrics.jsonl: one JSON object per line, each appended with one write as soon as it is
// known. A run that dies leaves every line logged before. Numbers round-trip; a non-finite one is
// null. The "event" of a line and its other members:
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
//   sample  step, prompt_index, text
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

// The point from which a run resumes.
struct ResumePoint {
  int64_t step = 0;
  bool evaluation_due = false;  // the step is not evaluated yet
};

// Not thread-safe. Every function throws StorageError if the file cannot be written.
class JsonlSink : public RunObserver {
 public:
  // Without a resume point the file begins anew. With one, the file is first cut back to what the
  // checkpoint knew: lines of later steps, an "end" line and an incomplete last line are dropped. A
  // line that is not a JSON object is dropped with a warning. The kept part replaces the file
  // atomically, so that a crash loses none of it. If the file does not exist, it begins anew.
  JsonlSink(const std::filesystem::path& path, std::optional<ResumePoint> resumed);

  // Writes the start line unless the kept part has one, because a run has it once.
  void on_start(const StartMetrics& start) override;
  void on_resume(int64_t step) override;
  void on_step(const StepMetrics& step) override;
  void on_skip(const SkipMetrics& skip) override;
  void on_spike(const SpikeMetrics& spike) override;
  void on_eval(const EvalMetrics& eval) override;
  void on_sample(const SampleMetrics& sample) override;
  void on_end(const RunSummary& summary) override;

 private:
  bool has_start_line_;
  AppendFile file_;
};

// Writes samples.jsonl: a line a sample, with `step` and the members of to_json(Sample). When a run
// resumes, the file is cut back as metrics.jsonl is. Throws StorageError.
class SampleSink : public RunObserver {
 public:
  SampleSink(const std::filesystem::path& path, std::optional<ResumePoint> resumed);
  void on_sample(const SampleMetrics& sample) override;

 private:
  AppendFile file_;
};

// Returns one line without a line feed: eval_loss, eval_ce, eval_ppl, eval_tokens, eval_accuracy,
// eval_bands. It has no step because a model outside a run has none.
std::string eval_metrics_json(const EvalMetrics& eval);

// Returns the text of summary.json, indented: status, exit_code, steps, num_tokens, wall_seconds,
// final (the fields of the last train line and of the last evaluation together), best (step and the
// fields of that evaluation; null without one), versions, git_hash and, for a profiled run,
// "profile" (seconds and calls by phase).
std::string run_summary_json(const RunSummary& summary);

}  // namespace pdl
