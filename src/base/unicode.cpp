#include "pdl/base/unicode.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <array>
#include <cstdint>
#include <cstdio>

namespace pdl {
namespace {

// Calls visit(code_point, begin, end) for each character until it returns false. The code point of
// an ill-formed piece is -1.
template <class Visitor>
void for_each_character(std::string_view text, Visitor visit) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto length = static_cast<int64_t>(text.size());
  int64_t at = 0;
  while (at < length) {
    const int64_t begin = at;
    UChar32 code_point = 0;
    U8_NEXT(bytes, at, length, code_point);
    if (!visit(code_point, static_cast<size_t>(begin), static_cast<size_t>(at))) return;
  }
}

std::string escaped(UChar32 code_point, std::string_view bytes) {
  if (code_point == '\n') return "\\n";
  if (code_point == '\r') return "\\r";
  if (code_point == '\t') return "\\t";
  std::array<char, 16> buffer{};
  if (code_point >= 0) {
    std::snprintf(buffer.data(), buffer.size(), "\\u{%x}", static_cast<unsigned>(code_point));
    return buffer.data();
  }
  std::string all;
  for (const char byte : bytes) {
    std::snprintf(buffer.data(), buffer.size(), "\\x%02x", static_cast<unsigned char>(byte));
    all += buffer.data();
  }
  return all;
}

// Control, format (which includes bidirectional overrides), surrogate, private use and unassigned
// characters.
bool is_hidden(UChar32 code_point) {
  return code_point < 0 ||
         (U_GET_GC_MASK(code_point) & (U_GC_C_MASK | U_GC_ZL_MASK | U_GC_ZP_MASK)) != 0;
}

}  // namespace

size_t find_invalid_utf8(std::string_view text) {
  size_t invalid = std::string_view::npos;
  for_each_character(text, [&](UChar32 code_point, size_t begin, size_t) {
    if (code_point < 0) invalid = begin;
    return code_point >= 0;
  });
  return invalid;
}

bool is_white_space(std::string_view text) {
  bool all = true;
  for_each_character(text, [&](UChar32 code_point, size_t, size_t) {
    all = code_point >= 0 && u_isspace(code_point);
    return all;
  });
  return all;
}

std::string_view without_outer_white_space(std::string_view text) {
  const auto is_continuation = [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
  };
  while (!text.empty()) {  // character by character, from the end
    size_t last = text.size() - 1;
    while (last > 0 && is_continuation(text[last])) --last;
    if (!is_white_space(text.substr(last))) break;
    text = text.substr(0, last);
  }
  size_t first = 0;
  for_each_character(text, [&](UChar32 code_point, size_t begin, size_t) {
    first = begin;
    return code_point >= 0 && u_isspace(code_point);
  });
  return text.substr(first);
}

std::string printable(std::string_view text, size_t max_bytes) {
  std::string result;
  for_each_character(text, [&](UChar32 code_point, size_t begin, size_t end) {
    const std::string_view bytes = text.substr(begin, end - begin);
    const std::string piece =
        is_hidden(code_point) ? escaped(code_point, bytes) : std::string(bytes);
    if (result.size() + piece.size() > max_bytes) {
      result += "…";
      return false;
    }
    result += piece;
    return true;
  });
  return result;
}

}  // namespace pdl
