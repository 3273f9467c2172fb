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

// Writes spaces as ' '. If the model escapes spaces, writes the sign ▁ so too, which stands for a
// space in its pieces, because it does not distinguish them. Immutable.
class SentencePieceNormalizer {
 public:
  // Throws ModelError if the character map is damaged.
  explicit SentencePieceNormalizer(const SentencePieceModel& model);

  // The state of a document between two parts.
  struct State {
    std::string_view rest;  // not yet normalised, in well-formed UTF-8
    // Whether the document begins with `rest`. False: it continues a text, so that the model's
    // dummy prefix is not put before it and a space at its start counts.
    bool begins = true;
    bool after_blank = false;  // a space that comes next is dropped
    bool is_blank = true;      // nothing but spaces came
  };

  // Takes at least `num_bytes` from state.rest, or all of it, and appends them normalised.
  void normalize(State& state, size_t num_bytes, std::string& normalized) const;
  // Changes the end of the normalised document as the model says, once `state.rest` is empty: its
  // last spaces are removed, or one is added. `normalized` holds at least all of them.
  void finish(const State& state, std::string& normalized) const;
  // Returns the length of `text` without the characters at its end that finish() removes.
  size_t size_without_last_blanks(std::string_view text) const;

 private:
  // Returns the number of bytes at the start of `text` that stay unchanged; 0 if the next character
  // needs the full rules.
  size_t count_unchanged(std::string_view text, size_t max_bytes, bool after_blank) const;
  // Normalises one character, or the characters of one rule.
  void move_character(State& state, std::string& normalized) const;

  bool adds_first_blank_;
  bool adds_last_blank_;
  bool escape_whitespaces_;
  bool remove_extra_whitespaces_;
  CharacterMap map_;
  PieceTrie user_defined_;            // pieces that no rule changes
  std::array<bool, 256> is_plain_{};  // unchanged before any ASCII character
};

}  // namespace pdl
