// Strings of templates that remember which of their bytes came from where.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pdl::jinja {

// Bytes [begin, end) of a text came from `origin`, a number that the caller of the template chose.
// An empty span tells where an empty text of that origin was put.
struct Span {
  size_t begin = 0;
  size_t end = 0;
  int32_t origin = 0;

  bool operator==(const Span&) const = default;
};

// Callers number their origins from 0. These are of what a {% generation %} block rendered, and of
// what was computed from texts of several origins.
inline constexpr int32_t kGenerationOrigin = -1;
inline constexpr int32_t kMixedOrigin = -2;

// Well-formed UTF-8 and the spans whose origin is known, in no order.
// Operations carry spans along: exactly where bytes are copied; where they are computed, as in
// upper case, all of the result has the origin of the input. At one place there is one empty span
// at most.
struct Text {
  std::string bytes;
  std::vector<Span> spans = {};
  // Marked by the filter `safe` or `escape`: what is added to it is escaped for HTML.
  bool is_markup = false;

  // Appends `more` and its spans.
  void append(const Text& more);
  void append(std::string_view more) { bytes += more; }
};

// The part [begin, end) of `text` in bytes, with its spans.
Text part_of(const Text& text, size_t begin, size_t end);

// `bytes`, which were computed from `source`: all of them have the origin of what has one there.
Text computed_from(const Text& source, std::string bytes);

}  // namespace pdl::jinja
