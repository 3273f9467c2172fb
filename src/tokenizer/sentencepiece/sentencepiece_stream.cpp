#include "sentencepiece_stream.h"

#include "../utf8_end.h"
#include "pdl/base/error.h"

namespace pdl {

void decode_with_library(const sentencepiece::SentencePieceProcessor& processor,
                         const std::vector<int32_t>& ids, std::string& text) {
  std::string decoded;
  const auto status = processor.Decode(ids, &decoded);
  if (!status.ok()) throw ModelError("the SentencePiece library: " + status.ToString());
  text += decoded;
}

std::optional<int32_t> find_id_with_text(const sentencepiece::SentencePieceProcessor& processor) {
  for (int32_t id = 0; id < processor.GetPieceSize(); ++id) {
    if (processor.IsByte(id)) continue;
    std::string text;
    decode_with_library(processor, {id}, text);
    if (!text.empty()) return id;
  }
  return std::nullopt;
}

SentencePieceStream::SentencePieceStream(const Tokenizer& tokenizer,
                                         const sentencepiece::SentencePieceProcessor& processor,
                                         int32_t id_with_text)
    : tokenizer_(tokenizer), processor_(processor), id_with_text_(id_with_text) {}

void SentencePieceStream::push(int32_t id, std::string& text) {
  tokenizer_.check_id(id);
  pending_.push_back(id);
  size_t num_waiting = 0;
  if (processor_.IsByte(id)) {
    pending_bytes_ += tokenizer_.text_of(id);
    num_waiting = size_of_incomplete_end(pending_bytes_);
  }
  decode_pending(pending_.size() - num_waiting, text);
  pending_bytes_.erase(0, pending_bytes_.size() - num_waiting);
}

void SentencePieceStream::finish(std::string& text) { decode_pending(pending_.size(), text); }

std::string SentencePieceStream::decode_after_before(std::span<const int32_t> ids) const {
  std::vector<int32_t> all = before_;
  all.insert(all.end(), ids.begin(), ids.end());
  std::string decoded;
  decode_with_library(processor_, all, decoded);
  return decoded.substr(before_size_);
}

void SentencePieceStream::decode_pending(size_t num_ids, std::string& text) {
  if (num_ids == 0) return;
  const std::span<const int32_t> ids = std::span(pending_).first(num_ids);
  const std::string decoded = decode_after_before(ids);
  if (before_size_ == 0 && decoded.empty()) {
    // An id without text that has none again has no effect at all: a control token, or a space
    // where all of them are dropped. A space where only one is dropped has.
    const std::vector<int32_t> twice = {ids.front(), ids.front()};
    if (!decode_after_before(twice).empty()) before_.push_back(ids.front());
  } else if (before_size_ == 0) {
    before_ = {id_with_text_};
    before_size_ = decode_after_before({}).size();
  }
  text += decoded;
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(num_ids));
}

}  // namespace pdl
