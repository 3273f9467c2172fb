#include "pdl/metrics/console_sink.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "pdl/base/log.h"
#include "pdl/base/text_format.h"
#include "pdl/base/unicode.h"
#include "pdl/config/config_table.h"

namespace pdl {
namespace {

std::string padded_left(std::string text, size_t width) {
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

std::string quoted(const std::string& piece) { return "'" + printable(piece, 40) + "'"; }

// ------------------------------------------------------------------ warnings

std::string share_warning(const TokenShare& token, double w_mean) {
  const std::string holder = "token " + std::to_string(token.id) + " " + quoted(token.piece) +
                             " holds " + percent(token.weight_share) + " of the loss weight";
  if (token.weight <= w_mean) {
    // Its weight is at most the mean: its share is large because it is frequent, and a lower alpha
    // would increase it.
    return holder + " because it is that frequent among the targets: check the text and whether " +
           "the tokenizer fits it";
  }
  if (token.count == 0) {
    return holder + " because it never occurs in the frequency table: check that the reference " +
           "corpus contains it (add_eos, same tokenizer), or raise pdl_epsilon, set " +
           "pdl_max_ratio or use pdl_unseen count_one";
  }
  return holder + " though it is counted only " + grouped(token.count) +
         " times: lower pdl_alpha, raise pdl_epsilon, set pdl_max_ratio, or check that the " +
         "reference corpus contains it as often as the training text";
}

// ------------------------------------------------------------------ the start report

std::string table_line(const WeightStatistics& weights) {
  return "frequency table: " + grouped(weights.counted_tokens) + " tokens of " +
         grouped(weights.counted_types) + " types; " + grouped(weights.unseen_types) +
         " types never seen";
}

std::string rare_line(const WeightStatistics& weights) {
  const std::string limit = std::to_string(kRareCount);
  std::string line = "targets with count 0: " + percent(weights.unseen_share) + ", below " + limit +
                     ": " + percent(weights.rare_share);
  if (weights.eval_unseen_share.has_value() && weights.eval_rare_share.has_value()) {
    line += "; evaluation targets with count 0: " + percent(*weights.eval_unseen_share) +
            ", below " + limit + ": " + percent(*weights.eval_rare_share);
  }
  return line;
}

std::string bands_line(const WeightStatistics& weights) {
  std::string line = "weight by training count:";
  for (size_t i = 0; i < kFrequencyBands.size(); ++i) {
    line += (i == 0 ? " " : "; ") + std::string(kFrequencyBands[i].name) + ": " +
            percent(weights.weight_bands[i].weight_share);
  }
  return line;
}

std::string cap_line(const CapEffect& cap) {
  return "pdl_max_ratio lowered the weight of " + grouped(cap.types) +
         " types: " + percent(cap.target_share) +
         " of the targets; their share of the weight was " + percent(cap.weight_share_before) +
         " and is " + percent(cap.weight_share);
}

// ------------------------------------------------------------------ lines

std::string sequences_text(const std::vector<int64_t>& rows) {
  constexpr size_t kMaxShown = 8;
  std::string text = "sequences";
  for (size_t i = 0; i < std::min(kMaxShown, rows.size()); ++i) {
    text += (i == 0 ? " " : ", ") + std::to_string(rows[i]);
  }
  if (rows.size() > kMaxShown) {
    text += " and " + std::to_string(rows.size() - kMaxShown) + " more (metrics.jsonl)";
  }
  return text;
}

}  // namespace

std::vector<std::string> weight_warnings(const WeightStatistics& weights) {
  std::vector<std::string> warnings;
  if (weights.n_eff < kMinEffectiveShare) {
    warnings.push_back("n_eff is " + significant(weights.n_eff, 3) + ": the loss is as noisy as " +
                       significant(100 * weights.n_eff, 2) +
                       " % of the targets without weights; lower " +
                       "pdl_alpha, raise pdl_epsilon or set pdl_max_ratio");
  }
  for (const TokenShare& token : weights.top_tokens) {
    if (token.weight_share > kMaxTokenWeightShare) {
      warnings.push_back(share_warning(token, weights.w_mean));
    }
  }
  return warnings;
}

std::vector<std::string> weight_report(const WeightStatistics& weights) {
  std::vector<std::string> lines;
  lines.push_back(table_line(weights));
  lines.push_back(rare_line(weights));
  lines.push_back("weights: min " + significant(weights.w_min, 4) + ", mean " +
                  significant(weights.w_mean, 4) + ", max " + significant(weights.w_max, 4) +
                  "; n_eff " + significant(weights.n_eff, 3) + "; unseen tokens are " +
                  percent(weights.unseen_share) + " of the targets and " +
                  percent(weights.unseen_weight_share) + " of the weight");
  lines.push_back(bands_line(weights));
  if (weights.cap.has_value()) {
    lines.push_back(cap_line(*weights.cap));
  }
  if (!weights.top_tokens.empty()) {
    lines.push_back("tokens with most weight: share of the weight, weight, count, id, piece");
  }
  for (const TokenShare& token : weights.top_tokens) {
    lines.push_back(padded_left(percent(token.weight_share), 9) +
                    padded_left(significant(token.weight, 4), 11) +
                    padded_left(grouped(token.count), 14) +
                    padded_left(std::to_string(token.id), 8) + "  " + quoted(token.piece));
  }
  return lines;
}

std::vector<std::string> start_report(const StartMetrics& start) {
  std::vector<std::string> lines;
  lines.push_back("data: " + grouped(start.documents) + " documents (" +
                  grouped(start.empty_documents) + " empty, skipped), " + grouped(start.rows) +
                  " sequences, " + grouped(start.num_tokens) + " targets an epoch");
  lines.push_back("model: " + grouped(start.parameters) + " parameters, " +
                  grouped(start.trainable_parameters) + " trained; " + grouped(start.steps) +
                  " steps in all");
  const std::string kernels = start.compute.kernels + " kernels, ";
  lines.push_back("compute: " + start.compute.device + ", " + kernels +
                  grouped(start.compute.num_threads) + " threads");
  for (std::string& line : weight_report(start.weights)) {
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string step_line(const StepMetrics& step) {
  std::string line = "step " + grouped(step.step) + ": loss " + fixed(step.loss, 4) + ", ce " +
                     fixed(step.ce, 4) + ", ppl " + significant(step.ppl, 4) + ", rate " +
                     significant(step.learning_rate, 3) + ", gradient norm " +
                     significant(step.grad_norm, 3) + ", epoch " + fixed(step.epoch, 2) + ", " +
                     grouped(step.num_tokens) + " tokens, " + grouped(step.tokens_per_second) +
                     " tokens/s, " + significant(step.step_ms, 4) + " ms a step";
  if (step.peak_memory_gb.has_value()) {
    line += ", peak " + fixed(*step.peak_memory_gb, 2) + " GB";
  }
  if (step.skipped_steps > 0) {
    line += ", " + grouped(step.skipped_steps) + " steps skipped";
  }
  return line;
}

std::string progress_line(const StepMetrics& step, int64_t total_steps) {
  const int64_t remaining = std::max<int64_t>(0, total_steps - step.step);
  return "step " + std::to_string(step.step) + "/" + std::to_string(total_steps) + "  loss " +
         significant(step.loss, 4) + "  ce " + significant(step.ce, 4) + "  " +
         grouped(step.tokens_per_second) + " tokens/s  " +
         duration(static_cast<double>(remaining) * step.step_ms / 1000) + " left";
}

std::vector<std::string> eval_report(const EvalMetrics& eval) {
  std::vector<std::string> lines;
  lines.push_back("eval at step " + grouped(eval.step) + ": ce " + fixed(eval.eval_ce, 4) +
                  ", ppl " + significant(eval.eval_ppl, 4) + ", weighted loss " +
                  fixed(eval.eval_loss, 4) + ", accuracy " + percent(eval.eval_accuracy) + ", " +
                  grouped(eval.eval_tokens) + " targets");
  std::string bands;
  for (size_t i = 0; i < kFrequencyBands.size(); ++i) {
    const BandMetrics& band = eval.eval_bands[i];
    if (band.ce.has_value()) {
      bands += (bands.empty() ? " " : "; ") + std::string(kFrequencyBands[i].name) + ": " +
               fixed(*band.ce, 4);
    }
  }
  if (!bands.empty()) {
    lines.push_back("  ce by training count of the target:" + bands);
  }
  if (eval.best_tau) {
    lines.push_back("  ce with the bias tau·ln(count + 1), at its best tau " +
                    significant(*eval.best_tau, 4) + ": " + fixed(*eval.detilted_ce, 4));
  }
  return lines;
}

std::string sample_line(const SampleMetrics& sample) {
  return "sample at step " + grouped(sample.step) + ": " + shown(sample.prompt) + " goes on " +
         shown(sample.sample.text);
}

std::string skip_line(const SkipMetrics& skip) {
  return "step " + grouped(skip.step) + " skipped, " + skip.reason + ": " +
         sequences_text(skip.rows);
}

std::string spike_line(const SpikeMetrics& spike) {
  return "step " + grouped(spike.step) + " spikes, ce " + fixed(spike.ce, 4) + " is " +
         significant(spike.z_score, 3) +
         " standard deviations above the steps before: " + sequences_text(spike.rows);
}

std::string end_line(const RunSummary& summary) {
  std::string line = std::string(name_of(summary.status)) + " after " + grouped(summary.steps) +
                     " steps, " + grouped(summary.num_tokens) + " tokens and " +
                     duration(summary.wall_seconds);
  if (summary.final_eval.has_value()) {
    line += "; final eval ce " + fixed(summary.final_eval->eval_ce, 4);
  }
  if (summary.best_eval.has_value()) {
    line += ", best " + fixed(summary.best_eval->eval_ce, 4) + " at step " +
            grouped(summary.best_eval->step);
  }
  return line;
}

void ConsoleSink::on_start(const StartMetrics& start) {
  total_steps_ = start.steps;
  for (const std::string& line : start_report(start)) {
    log_info(line);
  }
  for (const std::string& line : weight_warnings(start.weights)) {
    log_warning(line);
  }
}

void ConsoleSink::on_resume(int64_t step) { log_info("resuming after step " + grouped(step)); }

void ConsoleSink::on_step(const StepMetrics& step) {
  log_info(step_line(step));
  show_progress(progress_line(step, total_steps_));
}

void ConsoleSink::on_skip(const SkipMetrics& skip) { log_warning(skip_line(skip)); }

void ConsoleSink::on_spike(const SpikeMetrics& spike) { log_warning(spike_line(spike)); }

void ConsoleSink::on_eval(const EvalMetrics& eval) {
  for (const std::string& line : eval_report(eval)) {
    log_info(line);
  }
}

void ConsoleSink::on_sample(const SampleMetrics& sample) { log_info(sample_line(sample)); }

void ConsoleSink::on_end(const RunSummary& summary) {
  show_progress("");
  log_info(end_line(summary));
}

}  // namespace pdl
