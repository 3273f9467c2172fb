// Normalises documents as a SentencePiece model asks, part by part, so that a long one needs little
// memory.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "character_map.h"
#include "piece_trie.h"
#include "sentencepiece_model.h"

namespace pdl {

// Blanks come out as ' ', and so does the sign ▁ that stands for a blank in pieces: the model does
// not tell them apart. Immutable.
class SentencePieceNormalizer {
 public:
  // Throws ModelError if the map of characters is damaged.
  explicit SentencePieceNormalizer(const SentencePieceModel& model);

  // Where a document stands between two parts.
  struct State {
    std::string_view rest;  // what is to come, in well-formed UTF-8
    bool begins = true;
    bool after_blank = false;  // a blank that comes next is left out
  };

  // Takes at least `num_bytes` from state.rest, or all, and appends what becomes of them. Blanks at
  // the end of the document stay: see removes_extra_blanks().
  void normalize(State& state, size_t num_bytes, std::string& normalized) const;
  // Whether blanks at the end of the normalised document must be taken away.
  bool removes_extra_blanks() const { return remove_extra_whitespaces_; }

 private:
  // How many bytes `text` begins with that stay as they are; 0: take the next character with care.
  size_t count_unchanged(std::string_view text, size_t max_bytes, bool after_blank) const;
  // Moves one character, or what a rule takes together.
  void move_character(State& state, std::string& normalized) const;

  bool add_dummy_prefix_;
  bool remove_extra_whitespaces_;
  CharacterMap map_;
  PieceTrie user_defined_;            // pieces, which no rule changes
  std::array<bool, 256> is_plain_{};  // stays as it is, whatever ASCII character comes next
};

}  // namespace pdl
