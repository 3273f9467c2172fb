// The prompts that a model continues.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// What a model continues.
struct Prompt {
  std::string text;
  std::vector<int32_t> ids;
};

// Where prompts come from, for messages: "'prompts.txt' line 3".
struct PromptText {
  std::string text;
  std::string place;
};

// Reads prompts from a file: of a name that ends in .jsonl a record a line, with the string that
// TextOptions::prompt_field names; else a line each. A \r at the end of a line is dropped. Throws
// DataError for a file that cannot be read or has no prompt.
std::vector<PromptText> read_prompts(const std::string& path, const TextOptions& options);

// The same of text that is no file's: a prompt a line.
std::vector<PromptText> split_prompts(std::string_view text, const std::string& name);

// Returns the ids of each: bos if options.add_bos, then the text's; no eos. Throws DataError, with
// the place, for a text that is not UTF-8 or gives no id, and ConfigError for add_bos of a
// tokenizer without bos.
std::vector<Prompt> encode_prompts(const std::vector<PromptText>& texts, const Tokenizer& tokenizer,
                                   const TextOptions& options);

}  // namespace pdl
