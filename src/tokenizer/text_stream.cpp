#include "pdl/tokenizer/text_stream.h"

#include <string_view>

#include "pdl/pattern/character.h"

namespace pdl {

TextStream::TextStream(const Tokenizer& tokenizer, std::span<const int32_t> prompt)
    : stream_(tokenizer.make_decode_stream()) {
  std::string certain;
  for (const int32_t id : prompt) stream_->push(id, certain);
  rest_of_prompt_ = tokenizer.decode(prompt).substr(certain.size());
}

std::string TextStream::push(int32_t id) {
  std::string text;
  stream_->push(id, text);
  return without_prompt(text);
}

std::string TextStream::finish() {
  std::string text;
  stream_->finish(text);
  return without_prompt(text);
}

std::string TextStream::without_prompt(const std::string& text) {
  std::string_view rest = text;
  while (!rest_of_prompt_.empty() && !rest.empty()) {
    const std::string_view character = rest.substr(0, character_bytes(rest.front()));
    if (!rest_of_prompt_.starts_with(character)) {
      rest_of_prompt_.clear();
      break;
    }
    rest.remove_prefix(character.size());
    rest_of_prompt_.erase(0, character.size());
  }
  return std::string(rest);
}

}  // namespace pdl
