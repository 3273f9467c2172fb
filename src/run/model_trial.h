// Whether a model fits its tokenizer and its data, found out before the first step.
#pragma once

#include <filesystem>

#include "pdl/model/language_model.h"
#include "pdl/run/dataset.h"
#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// Throws ModelError if the logits are narrower than the tokenizer, which was loaded from
// `tokenizer_path`. Without a tokenizer the data are ids, which are checked one by one.
void require_width(const ModelInfo& model, const Tokenizer& tokenizer,
                   const std::filesystem::path& tokenizer_path);

// A forward over the longest sequence of each kind of data. Throws ModelError for a model with
// fewer positions and, if there are training data, for one whose logits no gradient reaches.
void try_model(LanguageModel& model, const Dataset& data);

}  // namespace pdl
