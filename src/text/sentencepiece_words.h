// How text falls into words for a SentencePiece model: before every run of blanks, if no piece of
// the model reaches over such a place.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/text/tokenizer.h"
#include "sentencepiece_model.h"

namespace pdl {

// Functions as those of Tokenizer. Immutable.
class SentencePieceWords {
 public:
  virtual ~SentencePieceWords() = default;

  void split(std::string_view text, bool begins, WordList& list) const;
  virtual bool encode_word(std::string_view word, std::vector<int32_t>& ids) const = 0;
  virtual size_t find_cut(std::string_view text, size_t from) const = 0;

 protected:
  explicit SentencePieceWords(const SentencePieceModel& model)
      : add_dummy_prefix_(model.add_dummy_prefix),
        remove_extra_whitespaces_(model.remove_extra_whitespaces) {}

 private:
  bool add_dummy_prefix_;
  bool remove_extra_whitespaces_;
};

// nullptr for a model whose text must be encoded as a whole. `serialized` is the file's content.
std::unique_ptr<SentencePieceWords> make_sentencepiece_words(const SentencePieceModel& model,
                                                             const std::string& serialized);

}  // namespace pdl
