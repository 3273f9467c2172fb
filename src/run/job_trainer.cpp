#include "job_trainer.h"

#include "pdl/base/error.h"
#include "pdl/base/log.h"
#include "pdl/checkpoint/checkpoint.h"
#include "pdl/run/eos_ids.h"
#include "pdl/run/prompts.h"
#include "pdl/run/resume/require_same_run.h"

namespace pdl {
namespace {

std::vector<std::filesystem::path> companions_of(const RunConfig& config, const RunFolder& folder) {
  std::vector<std::filesystem::path> files{folder.metrics()};
  if (!config.samples.sample_prompts.empty()) files.push_back(folder.samples());
  return files;
}

TrainerOptions trainer_options(const Job& job, const RunFolder& folder) {
  const RunConfig& config = job.config;
  return {.step = {.training = config.training,
                   .max_grad_norm = config.optimizer.max_grad_norm,
                   .chunk_positions = job.plan.train_chunk_positions,
                   .scale_loss = config.precision == Precision::kFp16},
          .schedule = config.schedule,
          .evaluation = config.evaluation,
          .evaluator = evaluator_options(job),
          .checkpoint = config.checkpoint,
          .batch = batch_options(job),
          .output_dir = folder.path(),
          .companions = companions_of(config, folder)};
}

std::optional<SamplePrompts> sample_prompts_of(const Job& job) {
  const SampleOptions& options = job.config.samples;
  const SampleOptions defaults;
  if (options.sample_prompts.empty()) {
    if (options.sample_max_new_tokens != defaults.sample_max_new_tokens ||
        options.sample_temperature != defaults.sample_temperature ||
        options.sample_top_p != defaults.sample_top_p)
      log_warning(
          "sample_max_new_tokens, sample_temperature and sample_top_p do nothing without "
          "sample_prompts");
    return std::nullopt;
  }
  if (options.sample_temperature == 0 && options.sample_top_p < 1)
    log_warning("sample_top_p does nothing without sample_temperature: the highest score wins");
  if (job.tokenizer == nullptr) throw ConfigError("sample_prompts: needs tokenizer_path");
  std::vector<PromptDocument> documents;
  for (const std::string& text : options.sample_prompts) {
    PromptDocument& prompt = documents.emplace_back();
    prompt.document.parts.push_back({text});
    prompt.place = "sample_prompts[" + std::to_string(documents.size() - 1) + "]";
  }
  SamplePrompts prompts{.tokenizer = *job.tokenizer, .texts = {}, .ids = {}, .options = {}};
  for (Prompt& prompt : encode_prompts(documents, *job.tokenizer, job.config.text)) {
    prompts.texts.push_back(std::move(prompt.text));
    prompts.ids.push_back(std::move(prompt.ids));
  }
  const ModelInfo& model = job.model->info();
  prompts.options.sampling.temperature = options.sample_temperature;
  prompts.options.sampling.top_p = options.sample_top_p;
  prompts.options.seed = static_cast<uint64_t>(job.config.training.seed);
  prompts.options.max_new_tokens = options.sample_max_new_tokens;
  prompts.options.max_length = model.is_program ? 0 : model.max_positions;
  prompts.options.eos_ids = eos_ids(*job.tokenizer, job.config.model_path);
  for (size_t i = 0; prompts.options.max_length > 0 && i < prompts.ids.size(); ++i) {
    if (std::ssize(prompts.ids[i]) < prompts.options.max_length) continue;
    throw DataError(documents[i].place + " has " + std::to_string(prompts.ids[i].size()) +
                    " ids, and the model has " + std::to_string(prompts.options.max_length) +
                    " positions; shorten it");
  }
  return prompts;
}

}  // namespace

JobTrainer::JobTrainer(Job& job, const RunFolder& folder, RunObserver& observer,
                       const RunContext& context)
    : identity_(identity_of(job)),
      optimizer_(
          make_optimizer(with_decay_rule(job.model->parameters().trained), job.config.optimizer)),
      samples_(sample_prompts_of(job)),
      trainer_({.step = {.model = *job.model,
                         .optimizer = *optimizer_,
                         .weights = job.loss.weights,
                         .group = group_,
                         .profiler = context.profiler},
                .train_sequences = *job.data.train,
                .eval_sequences = job.data.eval ? &*job.data.eval : nullptr,
                .identity = identity_,
                .observer = observer,
                .control = context.control,
                .samples = samples_ ? &*samples_ : nullptr},
               trainer_options(job, folder)) {}

void JobTrainer::resume(const std::filesystem::path& checkpoint) {
  require_same_run(load_trainer_state(checkpoint).second, identity_, checkpoint);
  trainer_.resume(checkpoint);
}

}  // namespace pdl
