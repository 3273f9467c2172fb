// Checks before the first step that a model fits its tokenizer and its data.
#pragma once

#include <filesystem>

#include "pdl/model/language_model.h"
#include "pdl/run/dataset.h"
#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// Throws ModelError if the logits are narrower than the vocabulary of the tokenizer, which was
// loaded from `tokenizer_path`. Logs that they are wider, as a warning if by more than a tenth.
// Without a tokenizer the data are ids, which are checked one by one.
void require_width(const ModelInfo& model, const Tokenizer& tokenizer,
                   const std::filesystem::path& tokenizer_path);

// Probes the model with ids of the data, see model/probe.h. Throws ConfigError if a sequence is
// longer than the model's file says it may be, and ModelError as probe_model() does.
void try_model(LanguageModel& model, const Dataset& data);

}  // namespace pdl
