// Shows a run to the person who watches it: log lines through base/log.h (so train.log has them
// too) and, on a terminal, a progress line. Functions without side effects make the texts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pdl/metrics/observer.h"

namespace pdl {

// The thresholds of weight_warnings(): n_eff, and the weight_share of one token.
inline constexpr double kMinEffectiveShare = 0.05;
inline constexpr double kMaxTokenWeightShare = 0.20;

// Logs a report of data and weights at the start, a line for each StepMetrics, EvalMetrics, skipped
// step and end, and the warnings of weight_warnings().
class ConsoleSink : public RunObserver {
 public:
  void on_start(const StartMetrics& start) override;
  void on_resume(int64_t step) override;
  void on_step(const StepMetrics& step) override;
  void on_skip(const SkipMetrics& skip) override;
  void on_spike(const SpikeMetrics& spike) override;
  void on_eval(const EvalMetrics& eval) override;
  void on_sample(const SampleMetrics& sample) override;
  void on_end(const RunSummary& summary) override;

 private:
  int64_t total_steps_ = 0;
};

// Lines with the frequency table, the weight statistics and a table of the tokens with most weight.
std::vector<std::string> weight_report(const WeightStatistics& weights);

// Lines with data and model, then weight_report().
std::vector<std::string> start_report(const StartMetrics& start);

// Returns a line for each sign that the weights make training depend on few tokens, with what to do
// about it: n_eff < kMinEffectiveShare, or a token with weight_share > kMaxTokenWeightShare. Empty
// if there is none.
std::vector<std::string> weight_warnings(const WeightStatistics& weights);

// The line of a step in the log.
std::string step_line(const StepMetrics& step);

// Shows step of `total_steps`, loss, ce, tokens per second and the time left at the pace of the
// last steps, in a terminal of 80 columns.
std::string progress_line(const StepMetrics& step, int64_t total_steps);

// Lines with the figures of the whole set, then the ce of each band of training count.
std::vector<std::string> eval_report(const EvalMetrics& eval);

// The lines of other events in the log.
std::string sample_line(const SampleMetrics& sample);
std::string skip_line(const SkipMetrics& skip);
std::string spike_line(const SpikeMetrics& spike);
std::string end_line(const RunSummary& summary);

}  // namespace pdl
