// The tokens that end what a model generates.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// Returns the tokenizer's eos, if there is one, and those that generation_config.json of the
// model's folder names, if there is such a file: a model of chats often ends in several. Each once,
// in increasing order. Throws ModelError for a file of which eos_token_id cannot be read.
std::vector<int32_t> eos_ids(const Tokenizer& tokenizer, const std::filesystem::path& model_path);

}  // namespace pdl
