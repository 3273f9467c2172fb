// What splits or replaces text: a literal string or a regular expression as the `tokenizers`
// package reads it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace pdl {

// A stretch of bytes of a text.
struct TextSpan {
  size_t begin;
  size_t end;
};

// Immutable; may be used from several threads at once.
class Pattern {
 public:
  // Throws std::invalid_argument for an empty text.
  static Pattern literal(std::string text);
  // Throws std::invalid_argument for an expression that is not supported
  // (src/pattern/pattern_syntax.h) or that matches an empty text.
  static Pattern regex(const std::string& expression);
  ~Pattern();
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;

  // Finds the first match at or after `from`; false: there is none. `text` is well-formed UTF-8.
  // Throws DataError if the expression takes too many tries on this text.
  bool find(std::string_view text, size_t from, TextSpan& match) const;

  // Whether a text may be cut between an ASCII letter and `separator` before an ASCII letter: no
  // match reaches over the place, and none looks over it.
  bool allows_cut(char32_t separator) const;
  // Whether every ASCII letter is part of a match, so that one ends at such a place.
  bool matches_all_letters() const;

 private:
  struct State;
  explicit Pattern(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace pdl
