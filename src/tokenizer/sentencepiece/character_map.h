// The map of characters in a SentencePiece model: which of them normalisation replaces, and by
// what.
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
    size_t num_bytes;              // that are replaced
    std::string_view replacement;  // may be empty; lives as long as the map
  };

  // `serialized` is `precompiled_charsmap` of sentencepiece_model.proto: four bytes that tell the
  // size of a double-array trie, the trie, and the replacements, a zero after each. Empty: no
  // rules. Throws ModelError if it is cut off.
  explicit CharacterMap(std::string_view serialized);

  // Throws ModelError unless every text can be looked up, by the library too, which trusts the map:
  // it looks at no bounds, and has room for some rules that begin alike.
  void check() const;

  // The longest rule whose characters `text` begins with. Throws ModelError if the map points
  // outside itself.
  std::optional<Rule> find(std::string_view text) const;
  // Whether there is a rule for characters that begin with `bytes`.
  bool has_rule_from(std::string_view bytes) const;

 private:
  // Calls visit(num_bytes, value) for each rule that `text` begins with; returns how many bytes of
  // `text` the trie knows.
  template <class Visit>
  size_t walk(std::string_view text, Visit visit) const;
  uint32_t unit(uint32_t index) const;

  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace pdl
