// Reads the chat templates beside a tokenizer. Private to the module.
#pragma once

#include <filesystem>
#include <optional>

#include "declared_tokens.h"
#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// As transformers does: chat_template.jinja and additional_chat_templates/*.jinja or, if there are
// none, "chat_template" of `config`. Special tokens are those of `config` and, if it lists no
// "added_tokens_decoder", of special_tokens_map.json. Throws ModelError for a file that cannot be
// read and a value of another type.
ChatFiles read_chat_files(const std::filesystem::path& tokenizer,
                          const std::optional<TokenizerConfig>& config);

}  // namespace pdl
