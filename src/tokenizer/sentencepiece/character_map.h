// The character map of a SentencePiece model, by which normalisation replaces characters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pdl {

// Immutable.
class CharacterMap {
 public:
  struct Rule {
    size_t num_bytes;              // replaced in the text
    std::string_view replacement;  // may be empty; lives as long as the map
  };

  // `serialized` is `precompiled_charsmap` of sentencepiece_model.proto: four bytes with the size
  // of a double-array trie, the trie, and the replacements, each followed by a zero. If empty,
  // there are no rules. Throws ModelError if it is cut off.
  explicit CharacterMap(std::string_view serialized);

  // Throws ModelError unless every text can be looked up safely, by the library too. The library
  // checks no bounds and has room for a limited number of rules that begin alike, so that a bad map
  // would make it write outside its memory.
  void check() const;

  // Returns the longest rule with whose characters `text` begins. Throws ModelError if the map
  // points outside itself.
  std::optional<Rule> find(std::string_view text) const;
  // Whether there is a rule for characters that begin with `bytes`.
  bool has_rule_from(std::string_view bytes) const;

 private:
  // Calls visit(num_bytes, value) for each rule with whose characters `text` begins. Returns how
  // many bytes of `text` the trie knows.
  template <class Visit>
  size_t walk(std::string_view text, Visit visit) const;
  uint32_t unit(uint32_t index) const;

  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace pdl
