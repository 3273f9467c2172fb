#include "strings.h"

#include <unicode/ustring.h>

#include <algorithm>
#include <utility>

#include "characters.h"
#include "operations.h"
#include "printing.h"
#include "text_builder.h"

namespace pdl::jinja {
namespace {

bool is_one_of(std::string_view characters, int32_t character) {
  for (size_t at = 0; at < characters.size();) {
    if (next_character(characters, at) == character) return true;
  }
  return false;
}

Text slice(const Text& text, size_t begin, size_t end) {
  Text part = part_of(text, begin, end);
  part.is_markup = text.is_markup;
  return part;
}

// Counts what is cut out of a text.
void count_parts(const Text& text, size_t parts, Budget& budget) {
  budget.take(parts + text.bytes.size() / 64);
}

}  // namespace

Text stripped(const Text& text, const Text* characters, Side side) {
  const std::string_view bytes = text.bytes;
  const auto is_dropped = [&](int32_t character) {
    return characters == nullptr ? is_space(character) : is_one_of(characters->bytes, character);
  };
  size_t begin = 0;
  while (side != Side::kRight && begin < bytes.size()) {
    size_t next = begin;
    if (!is_dropped(next_character(bytes, next))) break;
    begin = next;
  }
  size_t end = bytes.size();
  while (side != Side::kLeft && end > begin) {
    const size_t before = before_character(bytes, end);
    size_t at = before;
    if (!is_dropped(next_character(bytes, at))) break;
    end = before;
  }
  return slice(text, begin, end);
}

namespace {

std::vector<Value> split_at_white_space(const Text& text, int64_t most, Budget& budget) {
  std::vector<Value> parts;
  const std::string_view bytes = text.bytes;
  for (size_t at = skip_white_space(bytes); at < bytes.size();) {
    if (most >= 0 && static_cast<int64_t>(parts.size()) == most) {
      parts.emplace_back(slice(text, at, end_without_white_space(bytes)));
      break;
    }
    const size_t begin = at;
    size_t end = at;
    while (at < bytes.size()) {
      end = at;
      if (is_space(next_character(bytes, at))) break;
      end = at;
    }
    parts.emplace_back(slice(text, begin, end));
    at = skip_white_space(bytes, end);
  }
  count_parts(text, parts.size(), budget);
  return parts;
}

void require_separator(const Text& separator) {
  if (separator.bytes.empty()) fail("splits a text at an empty separator");
}

}  // namespace

std::vector<Value> split(const Text& text, const Text* separator, int64_t most, Budget& budget) {
  if (separator == nullptr) return split_at_white_space(text, most, budget);
  require_separator(*separator);
  std::vector<Value> parts;
  size_t begin = 0;
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t end = text.bytes.find(separator->bytes, begin);
    if (end == std::string::npos) break;
    parts.emplace_back(slice(text, begin, end));
    begin = end + separator->bytes.size();
    count_parts(Text{}, 1, budget);
  }
  parts.emplace_back(slice(text, begin, text.bytes.size()));
  count_parts(text, 0, budget);
  return parts;
}

std::vector<Value> split_from_right(const Text& text, const Text* separator, int64_t most,
                                    Budget& budget) {
  if (separator == nullptr) {
    if (most >= 0) fail("uses rsplit at white space with a limit, which is not supported");
    return split_at_white_space(text, most, budget);
  }
  require_separator(*separator);
  std::vector<Value> parts;
  size_t end = text.bytes.size();
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    if (end < separator->bytes.size()) break;
    const size_t begin = text.bytes.rfind(separator->bytes, end - separator->bytes.size());
    if (begin == std::string::npos) break;
    parts.emplace_back(slice(text, begin + separator->bytes.size(), end));
    end = begin;
    count_parts(Text{}, 1, budget);
  }
  parts.emplace_back(slice(text, 0, end));
  count_parts(text, 0, budget);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<Value> split_lines(const Text& text, bool keeps_ends, Budget& budget) {
  std::vector<Value> lines;
  const std::string_view bytes = text.bytes;
  size_t begin = 0;
  for (size_t at = 0; at < bytes.size();) {
    const size_t end = at;
    const int32_t character = next_character(bytes, at);
    const bool ends_line = (character >= '\n' && character <= '\r') ||
                           (character >= 0x1c && character <= 0x1e) || character == 0x85 ||
                           character == 0x2028 || character == 0x2029;
    if (!ends_line) continue;
    if (character == '\r' && bytes.substr(at).starts_with('\n')) ++at;
    lines.emplace_back(slice(text, begin, keeps_ends ? at : end));
    begin = at;
  }
  if (begin < bytes.size()) lines.emplace_back(slice(text, begin, bytes.size()));
  count_parts(text, lines.size(), budget);
  return lines;
}

Text replaced(const Text& text, const Text& from, const Text& to, int64_t most, Budget& budget) {
  if (from.bytes.empty()) fail("replaces an empty text, which is not supported");
  TextBuilder result(budget);
  size_t begin = 0;
  for (int64_t count = 0; most < 0 || count < most; ++count) {
    const size_t end = text.bytes.find(from.bytes, begin);
    if (end == std::string::npos) break;
    result.append(part_of(text, begin, end));
    result.append(to);
    begin = end + from.bytes.size();
  }
  if (begin == 0) return text;
  result.append(part_of(text, begin, text.bytes.size()));
  return result.take();
}

Text joined(const Text& separator, const std::vector<Value>& texts, Budget& budget) {
  TextBuilder result(budget);
  bool is_first = true;
  for (const Value& text : texts) {
    if (!std::exchange(is_first, false)) result.append(separator);
    result.append(*text.text());
  }
  return result.take();
}

namespace {

using CaseMapping = int32_t (*)(UChar*, int32_t, const UChar*, int32_t, const char*, UErrorCode*);

// Maps by ICU's rules of no language, which are Python's.
Text with_case(const Text& text, CaseMapping mapping) {
  const auto check = [](UErrorCode code) {
    if (U_FAILURE(code) && code != U_BUFFER_OVERFLOW_ERROR)
      fail("changes the case of a text that is too long");
  };
  UErrorCode code = U_ZERO_ERROR;
  std::vector<UChar> source(text.bytes.size() + 1);
  int32_t size = 0;
  u_strFromUTF8(source.data(), static_cast<int32_t>(source.size()), &size, text.bytes.data(),
                static_cast<int32_t>(text.bytes.size()), &code);
  check(code);
  code = U_ZERO_ERROR;
  std::vector<UChar> mapped(3 * static_cast<size_t>(size) + 1);  // no character becomes more than 3
  const int32_t mapped_size =
      mapping(mapped.data(), static_cast<int32_t>(mapped.size()), source.data(), size, "", &code);
  check(code);
  code = U_ZERO_ERROR;
  std::string bytes(3 * static_cast<size_t>(mapped_size) + 1, '\0');
  int32_t num_bytes = 0;
  u_strToUTF8(bytes.data(), static_cast<int32_t>(bytes.size()), &num_bytes, mapped.data(),
              mapped_size, &code);
  check(code);
  bytes.resize(static_cast<size_t>(num_bytes));
  Text result = bytes == text.bytes ? text : computed_from(text, std::move(bytes));
  result.is_markup = text.is_markup;
  return result;
}

void require_ascii(const Text& text, const char* what) {
  if (!is_ascii(text.bytes)) {
    fail(std::string("changes the case of a text that is not ASCII by ") + what +
         ", which is not supported");
  }
}

bool is_lower_letter(char byte) { return byte >= 'a' && byte <= 'z'; }
bool is_upper_letter(char byte) { return byte >= 'A' && byte <= 'Z'; }
constexpr char kCaseBit = 'a' - 'A';

}  // namespace

Text in_upper_case(const Text& text) { return with_case(text, u_strToUpper); }
Text in_lower_case(const Text& text) { return with_case(text, u_strToLower); }

Text in_title_case(const Text& text) {
  require_ascii(text, "title");
  Text result = text;
  bool follows_letter = false;
  for (char& byte : result.bytes) {
    const bool is_letter = is_lower_letter(byte) || is_upper_letter(byte);
    if (follows_letter && is_upper_letter(byte)) {
      byte = static_cast<char>(byte + kCaseBit);
    } else if (!follows_letter && is_lower_letter(byte)) {
      byte = static_cast<char>(byte - kCaseBit);
    }
    follows_letter = is_letter;
  }
  return result;
}

Text capitalized(const Text& text) {
  require_ascii(text, "capitalize");
  Text result = text;
  for (size_t i = 0; i < result.bytes.size(); ++i) {
    char& byte = result.bytes[i];
    if (i == 0 && is_lower_letter(byte)) byte = static_cast<char>(byte - kCaseBit);
    if (i > 0 && is_upper_letter(byte)) byte = static_cast<char>(byte + kCaseBit);
  }
  return result;
}

Text escaped(const Text& text) {
  if (text.is_markup) return text;
  Text result{"", {}, true};
  size_t begin = 0;
  const auto replace = [&](size_t at, std::string_view entity) {
    result.append(part_of(text, begin, at));
    result.append(computed_from(part_of(text, at, at + 1), std::string(entity)));
    begin = at + 1;
  };
  for (size_t at = 0; at < text.bytes.size(); ++at) {
    if (text.bytes[at] == '&') replace(at, "&amp;");
    if (text.bytes[at] == '<') replace(at, "&lt;");
    if (text.bytes[at] == '>') replace(at, "&gt;");
    if (text.bytes[at] == '"') replace(at, "&#34;");
    if (text.bytes[at] == '\'') replace(at, "&#39;");
  }
  result.append(part_of(text, begin, text.bytes.size()));
  return result;
}

Text joined_as_markup(const Text& left, const Text& right) {
  if (!left.is_markup && !right.is_markup) {
    Text result = left;
    result.append(right);
    return result;
  }
  Text result = escaped(left);
  result.append(escaped(right));
  return result;
}

void require_key(const Value& value) {
  require_defined(value);
  const Sequence* sequence = value.sequence();
  const bool is_tuple = sequence != nullptr && sequence->kind == Sequence::Kind::kTuple;
  if (is_tuple) {
    for (const Value& item : sequence->items) require_key(item);
  }
  if (!is_tuple && !value.is_none() && !value.number() && value.text() == nullptr) {
    fail("has " + kind_of(value) + " as the key of a dict");
  }
}

}  // namespace pdl::jinja
