// A shortcut for most matches of a splitting pattern: runs of ASCII letters, with or without a
// space before them. Finding the end of the run is many times as fast as the regular
// expression.
#pragma once

#include <array>
#include <functional>
#include <string_view>
#include <vector>

#include "pattern_syntax.h"

namespace pdl {

class PlainWords {
 public:
  // `match_length(text)` is the length of the expression's match at the begin of `text`, 0 if there
  // is none. The shortcut is only taken where the tree and trials together show that the expression
  // matches the whole run: it knows no single letters there, and nothing but "optional", "once" and
  // "repeated without end", so that runs longer than those tried are like them.
  PlainWords(const std::vector<PatternSequence>& alternatives,
             const std::function<size_t(std::string_view text)>& match_length);
  PlainWords() = default;  // never taken

  // Returns the end of the match that begins at `from`, or 0: ask the expression.
  size_t find_end(std::string_view text, size_t from) const {
    const auto kind_at = [&](size_t at) { return kinds_[static_cast<unsigned char>(text[at])]; };
    const size_t begin = from + (text[from] == ' ' ? 1 : 0);
    size_t end = begin;
    while (end < text.size() && kind_at(end) == Kind::kLetter) ++end;
    const bool is_word = end > begin && (end == text.size() || kind_at(end) == Kind::kEnd);
    return is_word ? end : 0;
  }

 private:
  enum class Kind : unsigned char { kOther, kLetter, kEnd };

  std::array<Kind, 256> kinds_{};
};

}  // namespace pdl
