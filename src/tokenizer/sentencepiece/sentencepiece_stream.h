// Decodes ids one by one with the SentencePiece library, which itself decodes whole sequences.
#pragma once

#include <sentencepiece_processor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// Appends what the library decodes. Throws ModelError if it refuses.
void decode_with_library(const sentencepiece::SentencePieceProcessor& processor,
                         const std::vector<int32_t>& ids, std::string& text);

// Returns an id that is no byte and has a text of its own; nullopt if there is none.
std::optional<int32_t> find_id_with_text(const sentencepiece::SentencePieceProcessor& processor);

// The text of an id depends on others in two ways. Adjacent bytes are joined to characters. And
// while there is no text, spaces are dropped. Once there is text, ids thus decode to the same after
// any id with a text that is no byte, so long as no character is cut.
//
// Not for models with rules of denormalisation, which see the whole text.
class SentencePieceStream : public DecodeStream {
 public:
  // `id_with_text` is that of find_id_with_text(). The tokenizer and its processor must outlive the
  // stream.
  SentencePieceStream(const Tokenizer& tokenizer,
                      const sentencepiece::SentencePieceProcessor& processor, int32_t id_with_text);

  void push(int32_t id, std::string& text) override;
  void finish(std::string& text) override;

 private:
  std::string decode_after_before(std::span<const int32_t> ids) const;
  void decode_pending(size_t num_ids, std::string& text);

  const Tokenizer& tokenizer_;
  const sentencepiece::SentencePieceProcessor& processor_;
  int32_t id_with_text_;
  // What ids are decoded after: while there is no text, those so far that matter, which are few;
  // then the id with a text.
  std::vector<int32_t> before_;
  size_t before_size_ = 0;        // of their text
  std::vector<int32_t> pending_;  // not decoded yet
  std::string pending_bytes_;     // of those in pending_, which are then bytes alone
};

}  // namespace pdl
