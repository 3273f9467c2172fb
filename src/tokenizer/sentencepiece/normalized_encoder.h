// Encodes texts that are normalised already with the SentencePiece library: parts of a document,
// which have no start and no end.
#pragma once

#include <sentencepiece_processor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pdl {

// Every function may be called from several threads at once.
class NormalizedEncoder {
 public:
  // `serialized` is the content of a model's file. Throws ModelError if the library refuses it.
  explicit NormalizedEncoder(const std::string& serialized);

  // Appends the ids of a text as the model's SentencePieceNormalizer writes it.
  void encode(std::string_view normalized, std::vector<int32_t>& ids) const;

 private:
  sentencepiece::SentencePieceProcessor processor_;  // changes a text no further
};

}  // namespace pdl
