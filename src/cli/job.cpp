#include "cli/job.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "pdl/base/error.h"
#include "pdl/base/log.h"
#include "pdl/base/sha256.h"
#include "pdl/config/load_config.h"
#include "pdl/data/batch_plan.h"
#include "pdl/frequency/weight_statistics.h"
#include "pdl/kernels/cpu_kernels.h"
#include "pdl/metrics/console_sink.h"
#include "pdl/trainer/batch_gradient.h"

namespace pdl {
namespace {

Rows load_rows(const std::vector<std::string>& files, const RunConfig& config,
               const Tokenizer& tokenizer) {
  return {tokenize_corpus(files, config.text, tokenizer), config.rows};
}

void require_width(const LanguageModel& model, const Tokenizer& tokenizer,
                   const RunConfig& config) {
  if (model.vocab_size() > tokenizer.size()) {
    log_info("the model has " + std::to_string(model.vocab_size()) + " logits and the tokenizer " +
             std::to_string(tokenizer.size()) + " tokens: the ids behind those are never used");
  }
  if (model.vocab_size() >= tokenizer.size()) return;
  throw ModelError("model '" + config.model_path.string() + "' has logits for " +
                   std::to_string(model.vocab_size()) + " tokens, but tokenizer '" +
                   config.tokenizer_path.string() + "' has " + std::to_string(tokenizer.size()) +
                   "; use the tokenizer of this model");
}

// A model with fewer positions than a row has tokens must fail before the first step.
at::Tensor try_longest_row(LanguageModel& model, const Rows& rows) {
  try {
    return model.forward(
        at::zeros({1, rows.longest()}, at::dtype(at::kLong).device(model.device())));
  } catch (const ModelError& problem) {
    throw ModelError(std::string(problem.what()) +
                     "; is max_length more than the model's positions?");
  }
}

// So must a model whose logits no gradient reaches.
void try_training(LanguageModel& model, const Rows& rows) {
  if (!try_longest_row(model, rows).requires_grad()) {
    throw ModelError("the model's logits do not depend on any trainable parameter");
  }
}

void try_evaluation(LanguageModel& model, const Rows& rows) {
  const at::NoGradGuard no_grad;
  try_longest_row(model, rows);
}

TokenCounts load_table(const Job& job) {
  const RunConfig& config = job.config;
  const int64_t width = job.model->vocab_size();
  if (!config.pdl_frequency_table.empty()) {
    return fit_to_model(load_token_counts(config.pdl_frequency_table), *job.tokenizer, width,
                        config.pdl_frequency_table.string());
  }
  if (!config.pdl_reference_files.empty()) {
    return count_corpus(tokenize_corpus(config.pdl_reference_files, config.text, *job.tokenizer),
                        *job.tokenizer, width);
  }
  if (!job.train_rows) {
    throw ConfigError(
        "train_files: needed to count frequencies; or give pdl_frequency_table or "
        "pdl_reference_files");
  }
  return {.counts = count_targets(*job.train_rows, width),
          .counted = Counted::kTargets,
          .tokenizer_sha256 = job.tokenizer->sha256(),
          .corpus_sha256 = job.train_rows->corpus().sha256};
}

void require_all_seen(const Job& job) {
  const std::vector<int64_t>& counts = job.weights->counts();
  const int64_t width = job.model->vocab_size();
  if (job.train_rows)
    require_seen(counts, count_targets(*job.train_rows, width), *job.tokenizer, "training");
  if (job.eval_rows)
    require_seen(counts, count_targets(*job.eval_rows, width), *job.tokenizer, "evaluation");
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
int64_t chunk_rows(const Job& job, const Rows& rows, int64_t batch_size) {
  const int64_t wanted = job.config.logits_chunk_rows;
  if (wanted == 0) {
    return automatic_chunk_rows(*job.model, std::min(batch_size, rows.size()) * rows.longest());
  }
  if (!job.model->has_head()) {
    throw ConfigError("logits_chunk_rows: model '" + job.config.model_path.string() +
                      "' has no methods hidden and head, so its logits cannot be made in chunks; "
                      "use 0, or export the model with scripts/export_model.py");
  }
  return wanted;
}

WeightStatistics checked_weight_statistics(const Job& job) {
  const int64_t width = job.model->vocab_size();
  const std::vector<int64_t> training = count_targets(*job.train_rows, width);
  const std::vector<int64_t> evaluation =
      job.eval_rows ? count_targets(*job.eval_rows, width) : std::vector<int64_t>{};
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
  job.tokenizer = load_tokenizer(config.tokenizer_path);
  job.pad_id = job.tokenizer->pad_id().value_or(job.tokenizer->eos_id().value_or(0));
  job.model =
      load_language_model(config.model_path, device, autocast_dtype(config.precision, device));
  if (!config.freeze.empty()) freeze_parameters(*job.model, config.freeze);
  require_width(*job.model, *job.tokenizer, config);
  if (!config.train_files.empty())
    job.train_rows = load_rows(config.train_files, config, *job.tokenizer);
  if (!config.eval_files.empty())
    job.eval_rows = load_rows(config.eval_files, config, *job.tokenizer);
  if (job.train_rows) try_training(*job.model, *job.train_rows);
  if (job.eval_rows) try_evaluation(*job.model, *job.eval_rows);
  job.table = load_table(job);
  job.weights = std::make_unique<WeightTable>(job.table.counts, config.weights,
                                              job.tokenizer->special_ids(), device);
  if (config.weights.pdl_unseen == UnseenPolicy::kError) require_all_seen(job);
  if (job.train_rows) {
    job.logits_chunk_rows =
        chunk_rows(job, *job.train_rows, config.training.per_device_train_batch_size);
  }
  if (job.eval_rows) {
    job.eval_logits_chunk_rows =
        chunk_rows(job, *job.eval_rows, config.evaluation.per_device_eval_batch_size);
  }
  return job;
}

StartMetrics start_metrics(const Job& job) {
  const DocumentCounts& documents = job.train_rows->corpus().document_counts;
  return {.parameters = count_parameters(*job.model, /*trainable_only=*/false),
          .trainable_parameters = count_parameters(*job.model, /*trainable_only=*/true),
          .num_tokens = job.train_rows->num_targets(),
          .rows = job.train_rows->size(),
          .documents = documents.documents,
          .empty_documents = documents.empty_documents,
          .steps = BatchPlan(job.train_rows->size(), job.config.training).total_steps(),
          .weights = checked_weight_statistics(job)};
}

RunIdentity identity_of(const Job& job) {
  return {.model_sha256 = job.model->sha256(),
          .tokenizer_sha256 = job.tokenizer->sha256(),
          .train_sha256 = job.train_rows->corpus().sha256,
          .eval_sha256 = job.eval_rows ? job.eval_rows->corpus().sha256 : "",
          .frequency_sha256 = sha256(to_json(job.table)),
          .config_json = config_to_json(job.config),
          .versions = component_versions()};
}

}  // namespace pdl
