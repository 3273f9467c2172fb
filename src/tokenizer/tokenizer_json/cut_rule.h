// Decides whether documents may be cut between words, and where.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "added_tokens.h"
#include "model.h"
#include "normalizer.h"
#include "pre_tokenizer.h"

namespace pdl::tokenizer_json {

// The parts of a tokenizer that a cut could disturb.
struct TokenizerParts {
  const Normalizer& normalizer;
  const PreTokenizer& pre_tokenizer;
  const std::vector<AddedToken>& added_tokens;
  // The character before whose runs the words are cut for the model, if they are.
  std::optional<char32_t> word_separator;
};

// Returns true if it can be proved that cutting a document between an ASCII letter and a single
// blank before another ASCII letter changes no word, so long as what follows is split as the rest
// of a document.
bool allows_cuts_at_blanks(const TokenizerParts& parts);

// Returns the first such place at or after `from`; npos: there is none.
size_t find_blank_between_letters(std::string_view text, size_t from);

// Returns the character that blanks become before the model sees them, if they do.
std::optional<char32_t> blank_of_words(const Normalizer& normalizer,
                                       const PreTokenizer& pre_tokenizer);

}  // namespace pdl::tokenizer_json
