#include "model_trial.h"

#include <algorithm>
#include <limits>
#include <span>
#include <string>

#include "pdl/base/error.h"
#include "pdl/base/log.h"
#include "pdl/model/probe.h"

namespace pdl {
namespace {

// Adds what is in `sequences`. Padding takes part if their lengths differ.
void add_ids(const Sequences& sequences, int32_t pad_id, ProbeIds& ids) {
  bool has_padding = false;
  for (int64_t i = 0; i < sequences.size(); ++i) {
    const std::span<const Token> tokens = sequences.tokens(i);
    has_padding = has_padding || std::ssize(tokens) < sequences.longest();
    if (std::ssize(tokens) > std::ssize(ids.longest)) {
      ids.longest.clear();
      for (const Token& token : tokens) ids.longest.push_back(token.id());
    }
    for (const Token& token : tokens) {
      ids.smallest = std::min(ids.smallest, token.id());
      ids.largest = std::max(ids.largest, token.id());
    }
  }
  if (has_padding) ids.largest = std::max(ids.largest, pad_id);
}

void require_positions(const ModelInfo& model, int64_t longest) {
  if (model.max_positions == 0 || longest <= model.max_positions) return;
  throw ConfigError("max_length: the longest sequence has " + std::to_string(longest) +
                    " tokens, and model '" + model.path.string() + "' was made for " +
                    std::to_string(model.max_positions) + "; set max_length to that or less");
}

}  // namespace

void require_width(const ModelInfo& model, const Tokenizer& tokenizer,
                   const std::filesystem::path& tokenizer_path) {
  if (model.vocab_size > tokenizer.size()) {
    const std::string sizes = "the model has " + std::to_string(model.vocab_size) +
                              " logits and the tokenizer " + std::to_string(tokenizer.size()) +
                              " tokens: the ids after those are never used";
    // Models are padded to a round number of logits, by some percent at most.
    if (tokenizer.size() < model.vocab_size - model.vocab_size / 10) {
      log_warning(sizes + "; is '" + tokenizer_path.string() + "' the tokenizer of this model?");
    } else {
      log_info(sizes);
    }
  }
  if (model.vocab_size >= tokenizer.size()) return;
  throw ModelError("model '" + model.path.string() + "' has logits for " +
                   std::to_string(model.vocab_size) + " tokens, but tokenizer '" +
                   tokenizer_path.string() + "' has " + std::to_string(tokenizer.size()) +
                   "; use the tokenizer of this model");
}

void try_model(LanguageModel& model, const Dataset& data) {
  ProbeIds ids{.smallest = std::numeric_limits<int32_t>::max()};
  for (const auto* sequences : {&data.train, &data.eval}) {
    if (*sequences) add_ids(**sequences, data.pad_id, ids);
  }
  require_positions(model.info(), std::ssize(ids.longest));
  if (!model.info().is_program) return;
  probe_model(model, ids, /*for_training=*/data.train.has_value());
}

}  // namespace pdl
