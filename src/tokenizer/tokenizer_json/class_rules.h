// What transformers makes of a tokenizer.json by the class that tokenizer_config.json names.
// Private to the module.
#pragma once

#include <string>

#include "../declared_tokens.h"
#include "pdl/base/json.h"

namespace pdl::tokenizer_json {

// For the classes GPT2Tokenizer and Qwen2Tokenizer transformers 5 does not run the normalizer and
// pre-tokenizer of tokenizer.json, but the class's own. Returns a line that says so where they
// differ, else "". `document` is the root of tokenizer.json.
std::string class_rules_note(const JsonValue& document, const TokenizerConfig& config);

}  // namespace pdl::tokenizer_json
