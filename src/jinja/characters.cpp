#include "characters.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>

namespace pdl::jinja {

int32_t next_character(std::string_view text, size_t& at) {
  UChar32 character = 0;
  U8_NEXT_UNSAFE(text.data(), at, character);
  return character;
}

size_t before_character(std::string_view text, size_t at) {
  U8_BACK_1_UNSAFE(text.data(), at);
  return at;
}

void append_character(int32_t character, std::string& text) {
  char bytes[U8_MAX_LENGTH];
  size_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, character);
  text.append(bytes, size);
}

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return !U8_IS_TRAIL(byte); }));
}

size_t offset_of_character(std::string_view text, size_t index) {
  size_t at = 0;
  for (; index > 0 && at < text.size(); --index) U8_FWD_1_UNSAFE(text.data(), at);
  return at;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return static_cast<unsigned char>(byte) < 0x80; });
}

bool is_space(int32_t character) { return u_isspace(character) != 0; }

size_t skip_white_space(std::string_view text, size_t begin) {
  size_t at = begin;
  while (at < text.size()) {
    size_t next = at;
    if (!is_space(next_character(text, next))) break;
    at = next;
  }
  return at;
}

size_t end_without_white_space(std::string_view text) {
  size_t end = text.size();
  while (end > 0) {
    const size_t before = before_character(text, end);
    size_t at = before;
    if (!is_space(next_character(text, at))) break;
    end = before;
  }
  return end;
}

}  // namespace pdl::jinja
