// The alphabet of byte-level vocabularies: a printable character for each byte, as GPT-2 chose
// them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pdl::tokenizer_json {

// Returns the character, in UTF-8, that stands for a byte.
std::string byte_character(unsigned char byte);

// Returns the bytes that `written` stands for; nullopt if a character stands for none, so that no
// text has it.
std::optional<std::string> bytes_of(std::string_view written);

}  // namespace pdl::tokenizer_json
