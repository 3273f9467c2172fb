// Characters as the libraries of the `tokenizers` package know them, whatever the Unicode version
// of the ICU and PCRE2 of this machine: Unicode 16 for categories and white space, 17 for case and
// numbers, 9 for normal forms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace pdl {

// Returns the code point at `at`, which moves past it. `text` is well-formed UTF-8 and `at` inside
// it.
char32_t next_character(std::string_view text, size_t& at);
// Returns the code point that ends at `end`, which moves before it; `end` > 0.
char32_t previous_character(std::string_view text, size_t& end);
// Appends the UTF-8 of a code point.
void append_utf8(char32_t character, std::string& text);
// How many bytes the character has that begins with byte `first` of well-formed UTF-8.
inline size_t character_bytes(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

// Whether every byte is below 0x80.
bool is_ascii(std::string_view text);
// a to z, A to Z.
inline bool is_ascii_letter(char32_t character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
}

// White_Space, which is \s of Oniguruma and of Rust.
bool is_space(char32_t character);
// \w of Rust's regex: Alphabetic, M, Nd, Pc, Join_Control.
bool is_word_character(char32_t character);
// Rust's char::is_numeric: Nd, Nl, No.
bool is_numeric(char32_t character);
// Rust's str::to_lowercase without the rule for a final sigma: character by character.
std::string lowercase(std::string_view text);

// Returns the two letters of the general category.
std::string_view general_category(char32_t character);

// Code points from `first` to `last`, both included.
struct CharacterRange {
  char32_t first;
  char32_t last;
  bool operator==(const CharacterRange&) const = default;
};
// The characters for which is_space() is true, in increasing order.
std::span<const CharacterRange> space_ranges();

// Characters that Unicode 15.0, 15.1 and 16.0 added.
struct LaterCharacters {
  char32_t first;
  char32_t last;
  char category[3];
};
// In increasing order.
std::span<const LaterCharacters> later_characters();

}  // namespace pdl
