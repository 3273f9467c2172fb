// What the commands that take a run.json share: loading everything a job needs, in the order in
// which faults are blamed: config, tokenizer, model, data, frequency table.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pdl/checkpoint/records/trainer_state.h"
#include "pdl/config/run_config.h"
#include "pdl/frequency/count_cache.h"
#include "pdl/frequency/token_counts.h"
#include "pdl/loss/weight_table.h"
#include "pdl/metrics/metrics.h"
#include "pdl/model/language_model.h"
#include "pdl/tokenizer/tokenizer.h"
#include "pdl/tokens/sequences.h"
#include "pdl/tokens/tokenized_corpus.h"

namespace pdl {

// A job that has passed every check that needs no training step.
struct Job {
  RunConfig config;
  std::unique_ptr<Tokenizer> tokenizer;  // none if all data are token ids
  std::unique_ptr<LanguageModel> model;
  std::unique_ptr<TokenCache> token_cache;  // in output_dir; keep() is for who makes that
  std::unique_ptr<CountCache> count_cache;  // there, too
  std::optional<Sequences>
      train_sequences;  // none for a job that only evaluates and has no train_files
  std::optional<Sequences> eval_sequences;  // none without eval_files
  TokenCounts table;                        // as wide as the logits
  std::unique_ptr<WeightTable> weights;
  std::vector<int32_t> special_ids;
  int32_t pad_id = 0;
  // Sequences of logits that exist at once in training and in evaluation; 0: those of the whole
  // batch.
  int64_t logits_chunk_rows = 0;
  int64_t eval_chunk_positions = 0;
};

// Applies device and num_threads, loads and checks. Nothing is written. Throws Error by blame.
Job load_job(const RunConfig& config);

// The device of the key `device`. Throws ConfigError for one that this machine or LibTorch does not
// have.
at::Device select_device(const std::string& name);

// Sets the number of threads of LibTorch; 0 leaves all.
void apply_num_threads(int64_t num_threads);

// What the run reports at its start. Throws DataError if the unseen tokens hold more of the loss
// weight than pdl_max_unseen_share.
StartMetrics start_metrics(const Job& job);

// What a checkpoint of this job belongs to.
RunIdentity identity_of(const Job& job);

// (component, version) of everything a result depends on, this program first.
std::vector<std::pair<std::string, std::string>> component_versions();
std::string git_hash();

}  // namespace pdl
