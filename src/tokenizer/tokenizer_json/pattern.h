// What splits or replaces text: a literal string or a regular expression.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "json_document.h"
#include "pattern_syntax.h"
#include "plain_words.h"

namespace pdl::tokenizer_json {

// A stretch of bytes of a text.
struct Span {
  size_t begin;
  size_t end;
};

// Immutable; may be used from several threads at once.
class Pattern {
 public:
  static Pattern literal(std::string text);
  // Throws std::invalid_argument for an expression that is not supported (pattern_syntax.h) or that
  // matches an empty text.
  static Pattern regex(const std::string& expression);
  ~Pattern();
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;

  // The first match at or after `from`; false: there is none. `text` is well-formed UTF-8. Throws
  // DataError if the expression takes too many tries on this text.
  bool find(std::string_view text, size_t from, Span& match) const;

  // Whether a text may be cut between an ASCII letter and `separator` before an ASCII letter: no
  // match reaches over the place, and none looks over it.
  bool allows_cut(char32_t separator) const;
  // Whether every ASCII letter is part of a match, so that one ends at such a place.
  bool matches_all_letters() const;

 private:
  struct Compiled;
  Pattern();

  std::string text_;  // of a literal; the expression as the file has it
  std::vector<PatternSequence> alternatives_;
  std::unique_ptr<Compiled> compiled_;  // null for a literal
  PlainWords plain_words_;
};

// The member "pattern" of an object: {"String": …} or {"Regex": …}. `literal`, if not null,
// receives the string, or "" for a regular expression. Throws ModelError for what regex() refuses.
Pattern read_pattern(ObjectReader& reader, std::string* literal = nullptr);

}  // namespace pdl::tokenizer_json
