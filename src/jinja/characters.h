// UTF-8 by characters, as Python counts them. Private to the module.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pdl::jinja {

// The character that begins at `at` in well-formed UTF-8, and the offset after it in `at`.
int32_t next_character(std::string_view text, size_t& at);

// The offset of the character before the one at `at`, which is not 0.
size_t before_character(std::string_view text, size_t at);

void append_character(int32_t character, std::string& text);

// The number of characters.
size_t count_characters(std::string_view text);

// The offset of character `index`; the size of the text if it has no more than `index`.
size_t offset_of_character(std::string_view text, size_t index);

bool is_ascii(std::string_view text);

// Python's str.isspace() of one character.
bool is_space(int32_t character);

// The offset after the white space at the begin; before that at the end.
size_t skip_white_space(std::string_view text, size_t begin = 0);
size_t end_without_white_space(std::string_view text);

}  // namespace pdl::jinja
