// The numbers that a run reports. Sums are over whole steps or whole evaluation sets, in float64,
// so that they do not depend on batch size or accumulation beyond rounding. Losses are in nats.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pdl/frequency/bands.h"
#include "pdl/generation/sampling/sample.h"
#include "pdl/weights/weight_statistics.h"

namespace pdl {

// With what a run computes.
struct ComputeMetrics {
  std::string device;   // of LibTorch, e.g. "cpu"
  std::string kernels;  // the instruction set of the program's own kernels, e.g. "AVX2", or "CUDA"
  int64_t num_threads = 0;
};

// What is known before the first step.
struct StartMetrics {
  int64_t parameters = 0;  // elements; tied tensors count once
  int64_t trainable_parameters = 0;
  int64_t num_tokens = 0;  // targets of one epoch
  int64_t rows = 0;
  int64_t documents = 0;
  int64_t empty_documents = 0;  // skipped
  int64_t steps = 0;            // of the whole run
  ComputeMetrics compute;
  WeightStatistics weights;
};

// Covers the steps since the last line; learning_rate and grad_norm are those of the last step.
struct StepMetrics {
  int64_t step = 0;
  double loss = 0;  // Σw·ce / Σw
  double ce = 0;    // Σce / n
  double ppl = 0;   // exp(ce)
  double learning_rate = 0;
  double grad_norm = 0;  // before clipping
  double epoch = 0;
  int64_t num_tokens = 0;     // targets trained on since the start of the run
  double weight_sum = 0;      // Σw
  double n_eff = 0;           // (Σw)² / Σw²
  int64_t skipped_steps = 0;  // since the start of the run
  double tokens_per_second = 0;
  double step_ms = 0;
  std::optional<double> peak_memory_gb;  // peak of the memory of tensors; none on the CPU
};

// An evaluation's figures of the targets whose training count is in one band; ce in nats,
// unweighted.
struct BandMetrics {
  int64_t tokens = 0;
  std::optional<double> ce;  // none without targets
  std::optional<double> accuracy;
  double predicted_mass = 0;  // mean probability of the tokens of the band, over all positions
};

// An evaluation over all its targets. ce is the mean cross-entropy in nats without weights, ppl is
// exp(ce), accuracy the share of targets that have the largest logit.
struct EvalMetrics {
  int64_t step = 0;
  double eval_loss = 0;  // Σw·ce / Σw
  double eval_ce = 0;
  double eval_ppl = 0;
  int64_t eval_tokens = 0;
  double eval_accuracy = 0;
  std::array<BandMetrics, kFrequencyBands.size()> eval_bands;
  // The tau of a grid that gives the least ce when tau·ln(count + 1) is added to the logits, and
  // that ce; none without a grid.
  std::optional<double> best_tau;
  std::optional<double> detilted_ce;
  int64_t eval_nonfinite_tokens = 0;  // targets whose ce is not finite
};

// A continuation of one of sample_prompts by the model of a step.
struct SampleMetrics {
  int64_t step = 0;
  Sample sample;
  std::string prompt;
  uint64_t seed = 0;
};

// A step without an update; `reason` says why, e.g. "non-finite loss" or "spike".
struct SkipMetrics {
  int64_t step = 0;
  std::vector<int64_t> rows;  // indices of its sequences
  std::string reason;
};

// A step whose loss jumped. It is trained on, unless a SkipMetrics of the same step follows.
struct SpikeMetrics {
  int64_t step = 0;
  std::vector<int64_t> rows;  // indices of its sequences
  double ce = 0;
  double z_score = 0;
};

// Wall time of a phase of the run; see metrics/profiler.h.
struct PhaseTime {
  std::string name;
  double seconds = 0;  // of all calls, without nested phases
  int64_t calls = 0;
  double multiplications = 0;  // of matrix products, without nested phases
  // What the products alone would take; none without products.
  std::optional<double> floor_seconds = std::nullopt;
};

// How a run ended.
enum class RunStatus { kFinished, kEarlyStopped, kInterrupted, kTimeLimit, kDiverged };

// Returns the name in summary.json: finished, early_stopped, interrupted, time_limit, diverged.
std::string_view name_of(RunStatus status);

// How a run ended, and its last figures: the content of summary.json.
struct RunSummary {
  RunStatus status = RunStatus::kFinished;
  int exit_code = 0;
  int64_t steps = 0;
  int64_t num_tokens = 0;
  double wall_seconds = 0;
  std::optional<StepMetrics> final_train;
  std::optional<EvalMetrics> final_eval;
  std::optional<EvalMetrics> best_eval;
  ComputeMetrics compute;
  std::vector<std::pair<std::string, std::string>> versions;  // component, version
  std::string git_hash;
  std::vector<PhaseTime> profile;  // empty: the run was not profiled
};

}  // namespace pdl
