// Encodes with SentencePiece's Unigram models, by pre-tokens where no piece reaches over words: a
// document is then normalised and split before every run of spaces or line ends, and a pre-token
// that was met before is not segmented again. Else the document is one pre-token.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "pdl/tokenizer/tokenizer.h"
#include "sentencepiece_model.h"
#include "sentencepiece_normalizer.h"
#include "unigram_lattice.h"

namespace pdl {

// The part shared by the encoders of a tokenizer. Immutable.
class UnigramWords {
 public:
  // Returns nullptr for a model of another kind. `normalizer` is that of the model and must outlive
  // the result.
  static std::unique_ptr<UnigramWords> make(const SentencePieceModel& model,
                                            const SentencePieceNormalizer& normalizer);

  // The result must not outlive this object.
  std::unique_ptr<CachingEncoder> make_encoder() const;

  const SentencePieceNormalizer& normalizer() const { return normalizer_; }
  const UnigramLattice& lattice() const { return lattice_; }
  // False: a document is one pre-token.
  bool has_words() const { return has_words_; }
  // Returns whether a run of such characters begins a pre-token: spaces, and line ends unless a
  // piece holds one after another character.
  bool begins_word(char byte) const { return byte == ' ' || byte == line_end_; }
  // Appends the token ids of a pre-token. Unknown characters become the ids of their bytes, or one
  // id for adjacent ones, even across pre-tokens. `after_unknown` says whether the last character
  // was unknown.
  void append(std::string_view word, std::span<const int32_t> path, bool& after_unknown,
              std::vector<int32_t>& ids) const;

 private:
  UnigramWords(const SentencePieceModel& model, const SentencePieceNormalizer& normalizer);

  const SentencePieceNormalizer& normalizer_;
  UnigramLattice lattice_;
  bool has_words_;
  char line_end_ = '\n';
  int32_t unknown_id_ = 0;
  std::optional<std::array<int32_t, 256>> byte_ids_;
};

}  // namespace pdl
