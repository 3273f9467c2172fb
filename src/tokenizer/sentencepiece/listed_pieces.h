// Encodes with SentencePiece models of the kinds word and char, whose texts are cut without regard
// to the pieces: what lies between two cuts is a piece of the list, or unknown.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "piece_trie.h"
#include "sentencepiece_model.h"

namespace pdl {

// Immutable.
class ListedPieces {
 public:
  // Whether the model is of these kinds.
  static bool fits(const SentencePieceModel& model);
  explicit ListedPieces(const SentencePieceModel& model);

  // Appends the ids of a text as the model's SentencePieceNormalizer writes it. Unknown stretches
  // become the ids of their bytes, or one id for adjacent ones.
  void encode(std::string_view normalized, std::vector<int32_t>& ids) const;

 private:
  // Returns the number of bytes before the first cut in `text`, which has signs for its spaces.
  size_t size_of_first(std::string_view text) const;

  std::unordered_map<std::string, int32_t> ids_;
  PieceTrie user_defined_;
  bool escape_whitespaces_;
  bool cuts_at_characters_;
  int32_t unknown_id_ = 0;
  std::optional<std::array<int32_t, 256>> byte_ids_;
};

}  // namespace pdl
