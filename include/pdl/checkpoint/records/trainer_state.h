// What a resumed run needs beside weights and moments. Plain values; trainer_state.json holds them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pdl/metrics/metrics.h"

namespace pdl {

// The sums since the last line of metrics.jsonl.
struct StepSums {
  double weighted_sum = 0;  // Σ w·ce
  double ce_sum = 0;        // Σ ce
  double weight_sum = 0;    // Σ w
  double square_sum = 0;    // Σ w²
  int64_t num_tokens = 0;
  int64_t steps = 0;
};

// What the steps so far add up to; see trainer/step_ledger.h.
struct LedgerState {
  int64_t num_tokens = 0;  // targets trained on
  int64_t skipped_steps = 0;
  int64_t bad_steps_in_a_row = 0;
  StepSums pending;
  double learning_rate = 0;  // of the last step
  double grad_norm = 0;      // of the last step, before clipping
  // Unweighted ce of the last steps, oldest first; see trainer/spike_detector.h.
  std::vector<double> ce_history;
};

// Which model is the best so far; see evaluation/model_selection.h.
struct SelectionState {
  int64_t evaluations_without_improvement = 0;
  bool stopped_early = false;
  std::optional<EvalMetrics> best_eval;
};

// Where a run is: the content of trainer_state.json beside its RunIdentity.
struct TrainerState {
  int64_t step = 0;  // optimiser steps done, skipped ones included
  LedgerState ledger;
  SelectionState selection;
  // The step is trained and reported, and its evaluation is still to come: the run was stopped in
  // it.
  bool evaluation_due = false;
  std::optional<StepMetrics> last_train;
  std::optional<EvalMetrics> last_eval;
};

// What the state belongs to: a resumed run must have the same.
struct RunIdentity {
  std::string model_sha256;
  std::string tokenizer_sha256;
  std::string train_sha256;      // of the training files, see CorpusReader::sha256()
  std::string eval_sha256;       // of the evaluation files; empty without any
  std::string frequency_sha256;  // of frequency.json
  std::string config_json;       // the resolved config
  std::vector<std::pair<std::string, std::string>> versions;  // component, version; may differ
};

// Returns the text of trainer_state.json.
std::string to_json(const TrainerState& state, const RunIdentity& identity);

// Reads the text of trainer_state.json. Throws CheckpointError, with `name`, for anything else.
std::pair<TrainerState, RunIdentity> parse_trainer_state(const std::string& text,
                                                         const std::string& name);

}  // namespace pdl
