// The texts whose quality is measured: parts of documents, and samples of a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/quality/text_figures.h"
#include "pdl/tokenizer/tokenizer.h"
#include "pdl/tokens/tokenized_corpus.h"

namespace pdl {

// Texts that continue prompts.
struct ContinuedPrompts {
  Samples prompts;  // the ids of each; none of them if they are not known
  TextSamples texts;
};

// Of which parts of documents a text is made: `prompt` ids and the `continuation` after them.
struct ExcerptLength {
  int64_t prompt = 0;
  int64_t continuation = 0;

  int64_t total() const { return prompt + continuation; }
};

// Returns the text of ids that continue a prompt, as generate() gives it. Ids that the tokenizer
// does not have, of a wider model, have no text.
std::string continuation_text(const Tokenizer& tokenizer, std::span<const int32_t> prompt,
                              std::span<const int32_t> ids);

// Returns the begin of each of the first `most` documents that are long enough.
ContinuedPrompts take_excerpts(const TokenizedCorpus& corpus, const ExcerptLength& length,
                               int64_t most, const Tokenizer& tokenizer);

// Reads lines of JSON objects with `ids`, each in [0, vocab_size), and maybe `text` and `prompt`.
// Without `text` it is that of the ids. The ids of a prompt are those of the prompt in `known` that
// has the same text, else that text encoded; unless every line has a prompt, none is known. Other
// members are passed over, as are blank lines. Throws DataError, with file and line.
ContinuedPrompts read_samples(const std::filesystem::path& path, int64_t vocab_size,
                              const Tokenizer& tokenizer, const TextOptions& options,
                              const ContinuedPrompts& known);

}  // namespace pdl
