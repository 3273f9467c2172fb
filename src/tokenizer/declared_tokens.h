// Reads which bos and eos a tokenizer's own files declare. Private to the module.
#pragma once

#include <filesystem>
#include <optional>

#include "pdl/base/json.h"
#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// A tokenizer_config.json.
struct TokenizerConfig {
  JsonBlame blame;
  JsonValue root;
};

// Reads the one beside `tokenizer`; nullopt if there is none. Throws ModelError for one that cannot
// be read.
std::optional<TokenizerConfig> read_tokenizer_config(const std::filesystem::path& tokenizer);

// Its add_bos_token and add_eos_token. Throws ModelError for one that is no boolean.
DeclaredTokens declared_by_config(const TokenizerConfig& config);

// The special tokens that the "post_processor" of a tokenizer.json puts around a single text.
// Never declares that there is none, and passes over kinds of processors that it does not know.
DeclaredTokens declared_by_post_processor(const JsonValue& post_processor);

}  // namespace pdl
