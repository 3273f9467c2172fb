// The prompts that a model continues.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/corpus/document.h"
#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// What a model continues, and where it stands, for messages: "'prompts.txt' line 3".
struct PromptDocument {
  Document document;
  std::string place;
};

// A text and its ids.
struct Prompt {
  std::string text;
  std::vector<int32_t> ids;
};

// Reads prompts from a file: of a name that ends in .jsonl a record a line, see
// parse_prompt_record(); else a text a line. A \r at the end of a line is dropped. Throws DataError
// for a file that cannot be read or has no prompt, and what ChatFormat throws.
std::vector<PromptDocument> read_prompts(const std::string& path, const TextOptions& options,
                                         const Tokenizer& tokenizer);

// The same of text that is no file's: a prompt a line.
std::vector<PromptDocument> split_prompts(std::string_view text, const std::string& name);

// Returns the ids of each, see encode_prompt(). Throws DataError, with the place, for a text that
// is not UTF-8 or gives no id, and ModelError for add_bos of a tokenizer without bos.
std::vector<Prompt> encode_prompts(const std::vector<PromptDocument>& prompts,
                                   const Tokenizer& tokenizer, const TextOptions& options);

}  // namespace pdl
