#include "model_trial.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <string>

#include "pdl/base/error.h"
#include "pdl/base/log.h"

namespace pdl {
namespace {

at::Tensor try_longest(LanguageModel& model, const Sequences& sequences) {
  try {
    return model.forward(
        at::zeros({1, sequences.longest()}, at::dtype(at::kLong).device(model.info().device)));
  } catch (const ModelError& problem) {
    throw ModelError(std::string(problem.what()) +
                     "; is max_length more than the model's positions?");
  }
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
  if (data.train && !try_longest(model, *data.train).requires_grad()) {
    throw ModelError("the model's logits do not depend on any trainable parameter");
  }
  if (data.eval) {
    const at::NoGradGuard no_grad;
    try_longest(model, *data.eval);
  }
}

}  // namespace pdl
