// Unicode helpers on top of ICU.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pdl {

inline constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Returns the offset of the first byte that is not part of well-formed UTF-8, or npos.
size_t find_invalid_utf8(std::string_view text);

// True if well-formed UTF-8 `text` holds nothing but white space (ICU's u_isspace, which is
// Python's str.isspace).
bool is_white_space(std::string_view text);

// Returns well-formed UTF-8 `text` without the white space at both ends: Python's str.strip().
std::string_view without_outer_white_space(std::string_view text);

// Returns `text` fit for a log line or an error: at most `max_bytes` bytes, cut between characters
// and marked with "…". Control characters and invalid bytes appear as \n, \t, \xNN or \u{NNNN}, so
// that no text can control a terminal.
std::string printable(std::string_view text, size_t max_bytes = 80);

}  // namespace pdl
