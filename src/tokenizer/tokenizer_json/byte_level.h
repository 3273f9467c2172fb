// The alphabet of byte-level vocabularies: a printable character for each byte, as GPT-2 chose
// them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pdl::tokenizer_json {

// The character that stands for a byte, UTF-8.
std::string byte_character(unsigned char byte);

// The bytes that `written` stands for; nullopt if a character stands for none: no text has it then.
std::optional<std::string> bytes_of(std::string_view written);

}  // namespace pdl::tokenizer_json
