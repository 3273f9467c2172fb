// Loads and checks everything that a run.json names, in the order in which errors are reported:
// config, tokenizer, model, data, frequency table.
#pragma once

#include <memory>

#include "pdl/checkpoint/records/trainer_state.h"
#include "pdl/config/run_config.h"
#include "pdl/evaluation/evaluator.h"
#include "pdl/model/language_model.h"
#include "pdl/model/load_model.h"
#include "pdl/run/compute_plan.h"
#include "pdl/run/dataset.h"
#include "pdl/run/loss_weights.h"
#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// A job that has passed every check that needs no training step.
struct Job {
  RunConfig config;
  std::unique_ptr<Tokenizer> tokenizer;  // none if all data are token ids
  std::unique_ptr<LanguageModel> model;
  std::unique_ptr<CorpusCaches> caches;  // in output_dir; whoever creates that calls keep()
  Dataset data;
  LossWeights loss;
  ComputePlan plan;
};

// Applies device and num_threads, loads and checks. Writes nothing. With `hashes_model` another
// thread hashes the files of the model meanwhile. Throws a subclass of Error by blame.
Job load_job(const RunConfig& config, const ProgressFactory& progress = {},
             bool hashes_model = false);

// Loads the model of a job that is not trained, in evaluation mode. Throws what load_job() throws
// for the device, the model, and logits narrower than the tokenizer.
std::unique_ptr<LanguageModel> load_fixed_model(const RunConfig& config,
                                                const Tokenizer& tokenizer);

// Returns how the keys want a model to be loaded.
LoadOptions model_options(const RunConfig& config, const ComputeTarget& target);

// Returns how the job's batches are made.
BatchOptions batch_options(const Job& job);

// Returns the options with which the job's eval_files are evaluated.
EvaluatorOptions evaluator_options(const Job& job);

// Returns the identity that a checkpoint of this job must have.
RunIdentity identity_of(const Job& job);

}  // namespace pdl
