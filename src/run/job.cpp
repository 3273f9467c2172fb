#include "pdl/run/job.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "model_trial.h"
#include "pdl/base/error.h"
#include "pdl/base/sha256.h"
#include "pdl/config/bias_grid.h"
#include "pdl/config/load_config.h"
#include "pdl/corpus/chat_format.h"
#include "pdl/model/load_model.h"
#include "pdl/run/run_folder.h"
#include "pdl/run/versions.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

// Returns null if all data are token ids.
std::unique_ptr<Tokenizer> load_tokenizer_of(const RunConfig& config) {
  if (!config.tokenizer_path.empty()) return load_tokenizer(config.tokenizer_path);
  if (config.weights.pdl_special_tokens == SpecialTokenPolicy::kNeutral) {
    throw ConfigError(
        "pdl_special_tokens: \"neutral\" needs tokenizer_path, which knows the special tokens");
  }
  return nullptr;
}

std::unique_ptr<LanguageModel> load_model_for(const RunConfig& config, const LoadOptions& options,
                                              const Tokenizer* tokenizer) {
  auto model = load_language_model(config.model_path, options);
  if (tokenizer != nullptr) require_width(model->info(), *tokenizer, config.tokenizer_path);
  return model;
}

// A run with adapters has merged them into its model/.
void require_unmerged(const RunConfig& config) {
  const fs::path& adapter = config.adapter.adapter_path;
  const fs::path run = config.model_path.parent_path();
  std::error_code ignored;
  if (adapter.empty() || !fs::exists(run / "adapter" / "adapter_config.json", ignored)) return;
  if (config.model_path.filename() != "model") return;
  throw ConfigError("adapter_path: model '" + config.model_path.string() +
                    "' has the adapters of its run already; leave adapter_path out, or give the "
                    "base model and the run's own adapter");
}

// The documents to which add_bos and add_eos apply.
int64_t bounded_documents(const Dataset& data, const TokenCounts& table) {
  int64_t documents = table.notes.bounded;
  if (data.train) documents += data.train->corpus().notes.bounded;
  if (data.eval) documents += data.eval->corpus().notes.bounded;
  return documents;
}

ComputeOptions compute_options_of(const RunConfig& config) {
  return {
      .device = config.device, .precision = config.precision, .num_threads = config.num_threads};
}

}  // namespace

Job load_job(const RunConfig& config, const ProgressFactory& progress, bool hashes_model) {
  const ComputeOptions compute_options = compute_options_of(config);
  const DataSources data_sources{.train_files = config.train_files,
                                 .eval_files = config.eval_files,
                                 .sequences = config.sequences};
  const WeightSources weight_sources{.frequency_table = config.pdl_frequency_table,
                                     .reference_files = config.pdl_reference_files,
                                     .options = config.weights};
  const BatchPlanOptions plan_options{
      .isolate_documents = config.isolate_documents,
      .logits_chunk_rows = config.logits_chunk_rows,
      .train_batch_size = config.training.per_device_train_batch_size,
      .eval_batch_size = config.evaluation.per_device_eval_batch_size};

  const ComputeTarget target = set_up_compute(compute_options);
  require_model(config.model_path);
  require_unmerged(config);
  auto tokenizer = load_tokenizer_of(config);
  LoadOptions load_options = model_options(config, target);
  load_options.hashes = hashes_model;
  auto model = load_model_for(config, load_options, tokenizer.get());
  auto caches = std::make_unique<CorpusCaches>(RunFolder(config.output_dir).cache());
  const TextInput input{.tokenizer = tokenizer.get(),
                        .vocab_size = model->info().vocab_size,
                        .text = config.text,
                        .num_threads = text_threads(compute_options.num_threads),
                        .progress = progress};
  Dataset data = load_dataset(data_sources, input, caches->tokens);
  try_model(*model, data);
  LossWeights loss = load_loss_weights(weight_sources, input, data, target.device, caches->counts);
  log_declared_tokens(bounded_documents(data, loss.table), tokenizer.get(), config.text);
  const ComputePlan plan = plan_compute(plan_options, model->info(), data);
  return {.config = config,
          .tokenizer = std::move(tokenizer),
          .model = std::move(model),
          .caches = std::move(caches),
          .data = std::move(data),
          .loss = std::move(loss),
          .plan = plan};
}

std::unique_ptr<LanguageModel> load_fixed_model(const RunConfig& config,
                                                const Tokenizer& tokenizer) {
  LoadOptions options = model_options(config, set_up_compute(compute_options_of(config)));
  options.trains = false;
  require_unmerged(config);
  auto model = load_language_model(config.model_path, options);
  require_width(model->info(), tokenizer, config.tokenizer_path);
  model->set_training(false);
  return model;
}

LoadOptions model_options(const RunConfig& config, const ComputeTarget& target) {
  const AdapterOptions& adapter = config.adapter;
  if (adapter.lora_rank == 0 && adapter.adapter_path.empty()) {
    const std::string key = adapter.lora_dropout > 0                            ? "lora_dropout"
                            : adapter.lora_alpha != AdapterOptions{}.lora_alpha ? "lora_alpha"
                            : !adapter.lora_target_modules.empty() ? "lora_target_modules"
                                                                   : "";
    if (!key.empty()) throw ConfigError(key + ": needs lora_rank or adapter_path; give one, too");
  }
  return {.device = target.device,
          .autocast = target.autocast,
          .splits_products = target.splits_products,
          .freeze = config.freeze,
          .gradient_checkpointing = config.gradient_checkpointing,
          .lora = {.rank = adapter.lora_rank,
                   .alpha = adapter.lora_alpha,
                   .dropout = adapter.lora_dropout,
                   .target_modules = adapter.lora_target_modules,
                   .seed = static_cast<uint64_t>(config.training.seed),
                   .adapter = adapter.adapter_path}};
}

BatchOptions batch_options(const Job& job) {
  return {.pad_id = job.data.pad_id,
          .device = job.model->info().device,
          .isolate_documents = job.plan.isolate_documents};
}

EvaluatorOptions evaluator_options(const Job& job) {
  return {.batch_size = job.config.evaluation.per_device_eval_batch_size,
          .max_batches = job.config.evaluation.eval_max_batches,
          .batch = batch_options(job),
          .chunk_positions = job.plan.eval_chunk_positions,
          .taus = parse_bias_grid(job.config.evaluation.eval_bias_grid, "eval_bias_grid")};
}

namespace {

// Of the tokenizer and, if it is one in Jinja, the chat template.
std::string tokenizer_identity(const Job& job) {
  if (job.tokenizer == nullptr) return "";
  const ChatFormat chats(job.config.text, job.tokenizer.get());
  const std::string& tokenizer = job.tokenizer->sha256();
  return chats.built_in() ? tokenizer : sha256(tokenizer + " " + chats.fingerprint());
}

}  // namespace

RunIdentity identity_of(const Job& job) {
  return {.model_sha256 = job.model->sha256(),
          .tokenizer_sha256 = tokenizer_identity(job),
          .train_sha256 = job.data.train->corpus().sha256,
          .eval_sha256 = job.data.eval ? job.data.eval->corpus().sha256 : "",
          .frequency_sha256 = sha256(to_json(job.loss.table)),
          .config_json = config_to_json(job.config),
          .versions = component_versions()};
}

}  // namespace pdl
