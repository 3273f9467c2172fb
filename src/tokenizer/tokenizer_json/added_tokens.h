// The tokens beside the model's vocabulary: found in the text before anything else, as
// the `tokenizers` package finds them, leftmost and longest first.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "byte_trie.h"
#include "json_document.h"
#include "model.h"
#include "normalizer.h"

namespace pdl::tokenizer_json {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  std::string pattern;  // what is looked for: the content, normalised if `normalized`
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
  bool normalized = false;
  bool special = false;
};

// A part of a text: an added token, or what lies between two.
struct TextPart {
  std::string_view bytes;
  const AddedToken* token = nullptr;  // nullptr: ordinary text
};

// Finds the tokens of one kind in a text.
class TokenFinder {
 public:
  // Throws std::invalid_argument if a pattern is empty or two are the same.
  explicit TokenFinder(std::vector<AddedToken> tokens);

  const std::vector<AddedToken>& tokens() const { return tokens_; }
  // Calls visit(part) for the parts of `text` that are not empty, in order.
  void split(std::string_view text, const std::function<void(const TextPart& part)>& visit) const;

 private:
  const AddedToken* longest_at(std::string_view text, size_t at) const;

  std::vector<AddedToken> tokens_;
  ByteTrie trie_;
  std::array<bool, 256> begins_token_{};
};

// Reads the "added_tokens" of the file, in the order that gives them their ids: those in
// the vocabulary keep that id, the others follow it. Throws ModelError if an id is not the one
// written in the file.
std::vector<AddedToken> read_added_tokens(const JsonValue& list, const JsonBlame& blame,
                                          const Vocabulary& vocabulary,
                                          const Normalizer& normalizer);

}  // namespace pdl::tokenizer_json
