// Unigram models of SentencePiece through words: a document is normalised, falls into words before
// every run of blanks or line ends, and a word that was met before is not segmented again.
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

// What the encoders of a tokenizer share. Immutable.
class UnigramWords {
 public:
  // nullptr for a model of another kind, or whose text must be encoded as a whole.
  static std::unique_ptr<UnigramWords> make(const SentencePieceModel& model);

  // Must not outlive this object.
  std::unique_ptr<CachingEncoder> make_encoder() const;

  const SentencePieceNormalizer& normalizer() const { return normalizer_; }
  const UnigramLattice& lattice() const { return lattice_; }
  // Whether a run of such characters begins a word: blanks, and line ends if no piece holds one
  // after another character.
  bool begins_word(char byte) const { return byte == ' ' || byte == line_end_; }
  // Appends the token ids of a word: for its unknown characters those of their bytes, or one for
  // all that follow one another, over words, too; `after_unknown` says whether there was one
  // before.
  void append(std::string_view word, std::span<const int32_t> path, bool& after_unknown,
              std::vector<int32_t>& ids) const;

 private:
  explicit UnigramWords(const SentencePieceModel& model);

  SentencePieceNormalizer normalizer_;
  UnigramLattice lattice_;
  char line_end_ = '\n';
  int32_t unknown_id_ = 0;
  std::optional<std::array<int32_t, 256>> byte_ids_;
};

}  // namespace pdl
