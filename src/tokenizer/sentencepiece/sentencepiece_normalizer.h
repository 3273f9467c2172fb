// Normalises documents as a SentencePiece model specifies, in parts, so that a long document needs
// little memory.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "character_map.h"
#include "piece_trie.h"
#include "sentencepiece_model.h"

namespace pdl {

// Writes spaces as ' ', and also the sign ▁, which stands for a space in pieces, because the model
// does not distinguish them. Immutable.
class SentencePieceNormalizer {
 public:
  // Throws ModelError if the character map is damaged.
  explicit SentencePieceNormalizer(const SentencePieceModel& model);

  // The state of a document between two parts.
  struct State {
    std::string_view rest;  // not yet normalised, in well-formed UTF-8
    bool begins = true;
    bool after_blank = false;  // a space that comes next is dropped
  };

  // Takes at least `num_bytes` from state.rest, or all of it, and appends them normalised. Spaces
  // at the end of the document stay, see removes_extra_blanks().
  void normalize(State& state, size_t num_bytes, std::string& normalized) const;
  // Whether spaces at the end of the normalised document must be removed.
  bool removes_extra_blanks() const { return remove_extra_whitespaces_; }

 private:
  // Returns the number of bytes at the start of `text` that stay unchanged; 0 if the next character
  // needs the full rules.
  size_t count_unchanged(std::string_view text, size_t max_bytes, bool after_blank) const;
  // Normalises one character, or the characters of one rule.
  void move_character(State& state, std::string& normalized) const;

  bool add_dummy_prefix_;
  bool remove_extra_whitespaces_;
  CharacterMap map_;
  PieceTrie user_defined_;            // pieces that no rule changes
  std::array<bool, 256> is_plain_{};  // unchanged before any ASCII character
};

}  // namespace pdl
