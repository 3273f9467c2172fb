#include "growing_text.h"

#include <algorithm>
#include <string_view>

namespace pdl {
namespace {

// The bytes at the end of `text` that may be the beginning of `stop`.
size_t begun_at_end(std::string_view text, std::string_view stop) {
  for (size_t size = std::min(text.size(), stop.size() - 1); size > 0; --size) {
    if (text.ends_with(stop.substr(0, size))) return size;
  }
  return 0;
}

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0u) == 0x80u; }

}  // namespace

GrowingText::GrowingText(const Tokenizer& tokenizer, std::span<const int32_t> prompt,
                         std::span<const std::string> stop_strings)
    : tokenizer_(tokenizer), stop_strings_(stop_strings), stream_(tokenizer, prompt) {
  if (stop_strings_.empty()) return;
  ids_.assign(prompt.begin(), prompt.end());
  prompt_text_ = tokenizer.decode(ids_);
}

bool GrowingText::push(int32_t id) {
  if (id >= tokenizer_.size()) return false;  // of a model wider than its tokenizer: no text
  text_ += stream_.push(id);
  if (stop_strings_.empty()) return false;
  // The stream waits for bytes that may belong together; a stop string does not.
  ids_.push_back(id);
  const std::string all = tokenizer_.decode(ids_);
  auto [end, ignored] = std::ranges::mismatch(all, prompt_text_);
  // As the stream does, leaves out whole characters alone.
  while (end != all.begin() && end != all.end() && is_continuation(*end)) --end;
  return cut_at_stop(all.substr(static_cast<size_t>(end - all.begin())));
}

bool GrowingText::cut_at_stop(const std::string& text) {
  size_t first = std::string::npos;
  for (const std::string& stop : stop_strings_) first = std::min(first, text.find(stop));
  if (first == std::string::npos) return false;
  text_ = text.substr(0, first);
  is_whole_ = true;
  return true;
}

void GrowingText::finish() {
  text_ += stream_.finish();
  is_whole_ = true;
}

size_t GrowingText::certain_size() const {
  if (is_whole_) return text_.size();
  size_t begun = 0;
  for (const std::string& stop : stop_strings_) begun = std::max(begun, begun_at_end(text_, stop));
  return text_.size() - begun;
}

std::string GrowingText::take_certain() {
  const size_t end = std::max(taken_, certain_size());
  if (end >= text_.size() && taken_ > text_.size()) return "";
  const std::string piece = text_.substr(taken_, end - taken_);
  taken_ = end;
  return piece;
}

}  // namespace pdl
