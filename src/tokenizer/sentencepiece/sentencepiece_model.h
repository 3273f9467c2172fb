// What a SentencePiece .model file holds, as far as words need it; the library does not tell.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pdl {

constexpr std::string_view kBlankSign = "\xe2\x96\x81";  // ▁, which stands for a blank in pieces

// The length of the character that begins with `byte`, in well-formed UTF-8.
inline size_t utf8_character_size(char byte) {
  const auto lead = static_cast<unsigned char>(byte);
  return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

// Numbers and defaults are those of sentencepiece_model.proto.
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
  std::string normalization;  // the name of the map of characters that comes first; "": none
  std::string character_map;  // that map itself, as CharacterMap reads it
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

// Throws ModelError for a file that is cut off or no message of this kind.
SentencePieceModel parse_sentencepiece_model(std::string_view serialized);

// Throws ModelError for what the library takes without a look and then reads outside its memory, or
// reads otherwise than parse_sentencepiece_model(): the rest it refuses itself when it loads.
void check_sentencepiece_model(const SentencePieceModel& model);

// By byte, for a model that writes unknown characters as bytes; else nullopt.
std::optional<std::array<int32_t, 256>> find_byte_ids(const SentencePieceModel& model);

// Whether no token reaches from before a run of blanks into it, whatever the text.
bool tokens_stay_in_words(const SentencePieceModel& model);

}  // namespace pdl
