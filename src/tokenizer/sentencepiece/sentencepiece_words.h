// Splits text into pre-tokens for a SentencePiece model: before every run of spaces, and wherever
// else no piece of the model reaches across.
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "normalized_encoder.h"
#include "pdl/tokenizer/tokenizer.h"
#include "sentencepiece_model.h"
#include "sentencepiece_normalizer.h"

namespace pdl {

// The functions are those of Tokenizer. Immutable.
class SentencePieceWords {
 public:
  virtual ~SentencePieceWords() = default;

  void split(std::string_view text, bool begins, WordList& list) const;
  virtual bool encode_word(std::string_view word, std::vector<int32_t>& ids) const = 0;
  virtual size_t find_cut(std::string_view text, size_t from) const = 0;

 protected:
  explicit SentencePieceWords(const SentencePieceModel& model);
  // Returns whether text is also split between these two ASCII characters.
  void cut_between(char before, char after) { cuts_.set(index_of(before, after)); }

 private:
  static size_t index_of(char before, char after) {
    return size_t{static_cast<unsigned char>(before)} << 8 | static_cast<unsigned char>(after);
  }

  bool is_cut(std::string_view text, size_t at) const;

  std::bitset<size_t{1} << 16> cuts_;  // by the bytes before and after
  bool add_dummy_prefix_;
  bool remove_extra_whitespaces_;
  bool has_runs_of_blanks_;  // there are pieces with runs of spaces
};

// The usual case: a BPE model without a character map and without pieces of special types, whose
// pre-tokens this program encodes itself. Returns nullptr for another model.
std::unique_ptr<SentencePieceWords> make_plain_bpe_words(const SentencePieceModel& model);

// The library encodes the pre-tokens. `normalizer` and `encoder` are those of the model and must
// outlive the result. Returns nullptr for a model whose text must be encoded as a whole.
std::unique_ptr<SentencePieceWords> make_library_words(const SentencePieceModel& model,
                                                       const SentencePieceNormalizer& normalizer,
                                                       const NormalizedEncoder& encoder);

}  // namespace pdl
