#include "cli/job.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "cli/file_job.h"
#include "cli/progress.h"
#include "pdl/base/error.h"
#include "pdl/base/log.h"
#include "pdl/base/sha256.h"
#include "pdl/base/text_format.h"
#include "pdl/config/load_config.h"
#include "pdl/data/batch_plan.h"
#include "pdl/frequency/weight_statistics.h"
#include "pdl/kernels/cpu_kernels.h"
#include "pdl/trainer/forward_backward.h"

namespace pdl {
namespace {

Corpus corpus_of(const Job& job, const std::vector<std::string>& files) {
  return {.files = files,
          .text = job.config.text,
          .tokenizer = job.tokenizer.get(),
          .vocab_size = job.model->vocab_size()};
}

PipelineOptions pipeline_options(const Job& job, const std::string& what) {
  return {.num_threads = text_threads(job.config.num_threads), .progress = corpus_progress(what)};
}

Sequences load_sequences(const Job& job, const std::vector<std::string>& files) {
  Sequences rows(
      job.token_cache->tokenize(corpus_of(job, files), pipeline_options(job, "tokenizing")),
      job.config.sequences);
  if (rows.num_untrained() > 0) {
    log_info(std::to_string(rows.num_untrained()) +
             " rows hold nothing that is trained, only prompts: they are left out");
  }
  return rows;
}

// Null: the data are ids, which are checked one by one.
void require_width(const LanguageModel& model, const Tokenizer* tokenizer,
                   const RunConfig& config) {
  if (tokenizer == nullptr) return;
  if (model.vocab_size() > tokenizer->size()) {
    log_info("the model has " + std::to_string(model.vocab_size()) + " logits and the tokenizer " +
             std::to_string(tokenizer->size()) + " tokens: the ids behind those are never used");
  }
  if (model.vocab_size() >= tokenizer->size()) return;
  throw ModelError("model '" + config.model_path.string() + "' has logits for " +
                   std::to_string(model.vocab_size()) + " tokens, but tokenizer '" +
                   config.tokenizer_path.string() + "' has " + std::to_string(tokenizer->size()) +
                   "; use the tokenizer of this model");
}

// A model with fewer positions than a row has tokens must fail before the first step.
at::Tensor try_longest_sequence(LanguageModel& model, const Sequences& rows) {
  try {
    return model.forward(
        at::zeros({1, rows.longest()}, at::dtype(at::kLong).device(model.device())));
  } catch (const ModelError& problem) {
    throw ModelError(std::string(problem.what()) +
                     "; is max_length more than the model's positions?");
  }
}

// So must a model whose logits no gradient reaches.
void try_training(LanguageModel& model, const Sequences& rows) {
  if (!try_longest_sequence(model, rows).requires_grad()) {
    throw ModelError("the model's logits do not depend on any trainable parameter");
  }
}

void try_evaluation(LanguageModel& model, const Sequences& rows) {
  const at::NoGradGuard no_grad;
  try_longest_sequence(model, rows);
}

std::string tokenizer_sha256(const Job& job) {
  return job.tokenizer == nullptr ? "" : job.tokenizer->sha256();
}

TokenCounts load_table(const Job& job) {
  const RunConfig& config = job.config;
  const int64_t width = job.model->vocab_size();
  if (!config.pdl_frequency_table.empty()) {
    return fit_to_model(load_token_counts(config.pdl_frequency_table), job.tokenizer.get(), width,
                        config.pdl_frequency_table.string());
  }
  if (!config.pdl_reference_files.empty()) {
    return job.count_cache->count(corpus_of(job, config.pdl_reference_files),
                                  pipeline_options(job, "counting"));
  }
  if (!job.train_sequences) {
    throw ConfigError(
        "train_files: needed to count frequencies; or give pdl_frequency_table or "
        "pdl_reference_files");
  }
  return {.counts = count_targets(*job.train_sequences, width),
          .counted = Counted::kTargets,
          .tokenizer_sha256 = tokenizer_sha256(job),
          .corpus_sha256 = job.train_sequences->corpus().sha256};
}

void require_all_seen(const Job& job) {
  const std::vector<int64_t>& counts = job.weights->counts();
  const int64_t width = job.model->vocab_size();
  if (job.train_sequences)
    require_seen(counts, count_targets(*job.train_sequences, width), job.tokenizer.get(),
                 "training");
  if (job.eval_sequences)
    require_seen(counts, count_targets(*job.eval_sequences, width), job.tokenizer.get(),
                 "evaluation");
}

std::optional<at::ScalarType> autocast_dtype(Precision precision, at::Device device) {
  switch (precision) {
    case Precision::kFp32:
      return std::nullopt;
    case Precision::kBf16:
      if (device.is_cpu() && !has_bfloat16_instructions()) {
        log_warning(
            "this CPU has no bfloat16 instructions: precision \"bf16\" will be slower than "
            "\"fp32\"");
      }
      return at::kBFloat16;
    case Precision::kFp16:
      if (!device.is_cuda()) {
        throw ConfigError(
            "precision: \"fp16\" needs CUDA; use \"bf16\" or \"fp32\" on this device");
      }
      return at::kHalf;
  }
  return std::nullopt;
}

// For batches of up to `batch_size` of the rows.
int64_t chunk_positions(const Job& job, const Sequences& rows, int64_t batch_size) {
  const int64_t wanted = job.config.logits_chunk_rows;
  if (wanted == 0) {
    return automatic_chunk_positions(*job.model,
                                     std::min(batch_size, rows.size()) * rows.longest());
  }
  if (!job.model->has_head()) {
    throw ConfigError("logits_chunk_rows: model '" + job.config.model_path.string() +
                      "' has no methods hidden and head, so its logits cannot be made in chunks; "
                      "use 0, or export the model with scripts/export_model.py");
  }
  return wanted;
}

void load_tokenizer_of(const RunConfig& config, Job& job) {
  if (config.tokenizer_path.empty()) {
    if (config.weights.pdl_special_tokens == SpecialTokenPolicy::kNeutral) {
      throw ConfigError(
          "pdl_special_tokens: \"neutral\" needs tokenizer_path, which knows the special tokens");
    }
    return;
  }
  job.tokenizer = load_tokenizer(config.tokenizer_path);
  job.special_ids = job.tokenizer->special_ids();
  job.pad_id = job.tokenizer->pad_id().value_or(job.tokenizer->eos_id().value_or(0));
}

WeightStatistics checked_weight_statistics(const Job& job) {
  const int64_t width = job.model->vocab_size();
  const std::vector<int64_t> training = count_targets(*job.train_sequences, width);
  const std::vector<int64_t> evaluation =
      job.eval_sequences ? count_targets(*job.eval_sequences, width) : std::vector<int64_t>{};
  WeightStatistics statistics =
      weight_statistics({.table = job.table.counts, .training = training, .evaluation = evaluation},
                        job.weights->full_weights(), job.config.weights, job.tokenizer.get());
  if (statistics.unseen_weight_share > job.config.pdl_max_unseen_share) {
    throw DataError("tokens that the frequency table never counted are " +
                    percent(statistics.unseen_share) + " of the training targets and hold " +
                    percent(statistics.unseen_weight_share) +
                    " of the loss weight, more than pdl_max_unseen_share; count a corpus that has "
                    "them, or raise pdl_epsilon");
  }
  return statistics;
}

}  // namespace

at::Device select_device(const std::string& name) {
  const bool has_cuda = at::hasCUDA();
  if (name == "auto") return has_cuda ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  at::Device device(name);
  if (device.is_cuda() && !has_cuda) {
    throw ConfigError(
        "device: \"" + name +
        "\" cannot be used, for there is no CUDA device or this LibTorch has no CUDA; use \"cpu\"");
  }
  if (device.is_cuda() && !device.has_index()) device.set_index(0);
  if (device.is_cuda() && device.index() >= at::detail::getCUDAHooks().deviceCount()) {
    throw ConfigError("device: \"" + name + "\" does not exist");
  }
  return device;
}

void apply_num_threads(int64_t num_threads) {
  if (num_threads > 0) at::set_num_threads(static_cast<int>(num_threads));
}

Job load_job(const RunConfig& config) {
  const at::Device device = select_device(config.device);
  apply_num_threads(config.num_threads);
  Job job;
  job.config = config;
  load_tokenizer_of(config, job);
  job.model =
      load_language_model(config.model_path, device, autocast_dtype(config.precision, device));
  if (!config.freeze.empty()) freeze_parameters(*job.model, config.freeze);
  require_width(*job.model, job.tokenizer.get(), config);
  const std::filesystem::path cache = config.output_dir.empty() ? "" : config.output_dir / "cache";
  job.token_cache = std::make_unique<TokenCache>(cache);
  job.count_cache = std::make_unique<CountCache>(cache);
  if (!config.train_files.empty()) job.train_sequences = load_sequences(job, config.train_files);
  if (!config.eval_files.empty()) job.eval_sequences = load_sequences(job, config.eval_files);
  if (job.train_sequences) try_training(*job.model, *job.train_sequences);
  if (job.eval_sequences) try_evaluation(*job.model, *job.eval_sequences);
  job.table = load_table(job);
  job.weights =
      std::make_unique<WeightTable>(job.table.counts, config.weights, job.special_ids, device);
  if (config.weights.pdl_unseen == UnseenPolicy::kError) require_all_seen(job);
  if (job.train_sequences) {
    job.logits_chunk_rows =
        chunk_positions(job, *job.train_sequences, config.training.per_device_train_batch_size);
  }
  if (job.eval_sequences) {
    job.eval_chunk_positions =
        chunk_positions(job, *job.eval_sequences, config.evaluation.per_device_eval_batch_size);
  }
  return job;
}

StartMetrics start_metrics(const Job& job) {
  const DocumentCounts& documents = job.train_sequences->corpus().document_counts;
  return {.parameters = count_parameters(*job.model, /*trainable_only=*/false),
          .trainable_parameters = count_parameters(*job.model, /*trainable_only=*/true),
          .num_tokens = job.train_sequences->num_targets(),
          .rows = job.train_sequences->size(),
          .documents = documents.documents,
          .empty_documents = documents.empty_documents,
          .steps = BatchPlan(job.train_sequences->size(), job.config.training).total_steps(),
          .weights = checked_weight_statistics(job)};
}

RunIdentity identity_of(const Job& job) {
  return {.model_sha256 = job.model->sha256(),
          .tokenizer_sha256 = tokenizer_sha256(job),
          .train_sha256 = job.train_sequences->corpus().sha256,
          .eval_sha256 = job.eval_sequences ? job.eval_sequences->corpus().sha256 : "",
          .frequency_sha256 = sha256(to_json(job.table)),
          .config_json = config_to_json(job.config),
          .versions = component_versions()};
}

}  // namespace pdl
