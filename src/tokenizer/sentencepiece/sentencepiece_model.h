// Parses the parts of a SentencePiece .model file that pre-tokens need and that the library does
// not expose.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pdl {

constexpr std::string_view kBlankSign = "\xe2\x96\x81";  // ▁, which stands for a space in pieces

// Returns the length of the character that begins with `byte`, in well-formed UTF-8.
inline size_t utf8_character_size(char byte) {
  const auto lead = static_cast<unsigned char>(byte);
  return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

// Field numbers and defaults are those of sentencepiece_model.proto.
struct SentencePieceModel {
  enum PieceType {
    kNormal = 1,
    kUnknown = 2,
    kControl = 3,
    kUserDefined = 4,
    kUnused = 5,
    kByte = 6
  };
  enum ModelType { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 };

  struct Piece {
    std::string text;
    float score = 0;
    int type = kNormal;
  };

  std::vector<Piece> pieces;  // by id
  int model_type = kUnigram;
  bool treat_whitespace_as_suffix = false;
  bool byte_fallback = false;
  std::string normalization;        // the name of the character map, applied first; "": none
  std::string character_map;        // that map itself, as CharacterMap reads it
  std::string denormalization_map;  // by which the library changes decoded text; "": none
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

// Throws ModelError for a file that is cut off or not a message of this kind.
SentencePieceModel parse_sentencepiece_model(std::string_view serialized);

// Throws ModelError for content that the library accepts but then reads outside its memory for, or
// reads differently from parse_sentencepiece_model(). The library refuses the rest itself when it
// loads.
void check_sentencepiece_model(const SentencePieceModel& model);

// Returns ids by byte for a model that encodes unknown characters as bytes; else nullopt.
std::optional<std::array<int32_t, 256>> find_byte_ids(const SentencePieceModel& model);

// Returns the user-defined pieces and their ids.
std::vector<std::pair<std::string, int32_t>> user_defined_pieces(const SentencePieceModel& model);

// Returns true if, for every text, no token reaches from before a run of spaces into it.
bool tokens_stay_in_words(const SentencePieceModel& model);

}  // namespace pdl
