#include "judge.h"

#include <algorithm>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/base/log.h"
#include "pdl/evaluation/evaluator.h"
#include "pdl/model/logits_chunks.h"

namespace pdl {
namespace {

RunConfig config_of(const RunConfig& job, const std::filesystem::path& model_path) {
  RunConfig config = job;
  config.model_path = model_path;
  config.adapter = {};
  config.freeze.clear();
  config.gradient_checkpointing = false;
  return config;
}

// Prompts and their texts as documents of which the texts alone are targets.
TokenizedCorpus corpus_of(const ContinuedPrompts& texts) {
  struct Memory {
    std::vector<Token> tokens;
    std::vector<int64_t> ends;
  };
  const auto memory = std::make_shared<Memory>();
  for (size_t i = 0; i < texts.prompts.size(); ++i) {
    for (const int32_t id : texts.prompts[i]) memory->tokens.emplace_back(id, /*trained=*/false);
    for (const int32_t id : texts.texts.ids[i]) memory->tokens.emplace_back(id);
    memory->ends.push_back(std::ssize(memory->tokens));
  }
  TokenizedCorpus corpus;
  corpus.tokens = memory->tokens;
  corpus.document_ends = memory->ends;
  corpus.all_trained = false;
  corpus.memory = memory;
  return corpus;
}

int32_t largest_id(const TokenizedCorpus& corpus) {
  int32_t largest = 0;
  for (const Token token : corpus.tokens) largest = std::max(largest, token.id());
  return largest;
}

int64_t longest(const TokenizedCorpus& corpus) {
  int64_t length = 0;
  for (int64_t i = 0; i < std::ssize(corpus.document_ends); ++i)
    length = std::max(length, std::ssize(corpus.document(i)));
  return length;
}

}  // namespace

Judge::Judge(const Job& job, const std::filesystem::path& model_path)
    : model_(load_fixed_model(config_of(job.config, model_path), *job.tokenizer)),
      batch_size_(job.config.evaluation.per_device_eval_batch_size) {
  if (model_->sha256() != job.model->sha256()) return;
  if (job.config.adapter.adapter_path.empty())
    log_warning(
        "--judge_model is the evaluated model itself, which finds its own texts too probable; "
        "give its base model, or that of another seed");
}

void Judge::require_length(int64_t ids) const {
  const int64_t most = model_->info().max_positions;
  if (model_->info().is_program || most == 0 || ids <= most) return;
  throw ConfigError("--judge_model: model '" + model_->info().path.string() + "' has " +
                    std::to_string(most) + " positions, and a prompt with its text has " +
                    std::to_string(ids) + " ids; give less --max_new_tokens or another judge");
}

std::optional<double> Judge::nll(const ContinuedPrompts& texts) {
  const bool has_id = std::ranges::any_of(
      texts.texts.ids, [](const std::vector<int32_t>& ids) { return !ids.empty(); });
  if (texts.prompts.empty() || !has_id) return std::nullopt;
  TokenizedCorpus corpus = corpus_of(texts);
  const int64_t length = longest(corpus);
  require_length(length);
  const ModelInfo& info = model_->info();
  if (largest_id(corpus) >= info.vocab_size) {
    throw ModelError("--judge_model: model '" + info.path.string() + "' has logits for " +
                     std::to_string(info.vocab_size) + " tokens, and a text has the id " +
                     std::to_string(largest_id(corpus)) + "; give a judge with its vocabulary");
  }
  const Sequences sequences(std::move(corpus), {.max_length = length, .packing = false});
  // Weights do not enter the unweighted mean.
  const WeightTable weights(std::vector<int64_t>(static_cast<size_t>(info.vocab_size), 1),
                            {.pdl_alpha = 0}, {}, info.device);
  const int64_t positions = std::min(batch_size_, sequences.size()) * length;
  const EvaluatorOptions options{.batch_size = batch_size_,
                                 .batch = {.device = info.device},
                                 .chunk_positions = automatic_chunk_positions(info, positions)};
  return evaluate(*model_, sequences, weights, options)->eval_ce;
}

}  // namespace pdl
