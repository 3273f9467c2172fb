// What a SentencePiece .model file holds, as far as words need it; the library does not tell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pdl {

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
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

// Reads a file that the library has accepted. Throws ModelError for one that is cut off.
SentencePieceModel parse_sentencepiece_model(std::string_view serialized);

}  // namespace pdl
