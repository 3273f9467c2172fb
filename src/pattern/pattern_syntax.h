// Regular expressions as Oniguruma reads them (its Ruby syntax, which the `tokenizers` package
// uses), parsed into a tree. What PCRE2 would read in different ways is either refused, or
// pcre2_expression.h writes it so that PCRE2 does what Oniguruma does:
//
//   \s              White_Space; PCRE2's has U+180E too
//   \p{L} …         Unicode 16; PCRE2's tables are older
//   \v              a vertical tab; a class of white space in PCRE2
//   x{1,3}+         (x{1,3})+, not possessive; x{,3} is x{0,3}
//   (?i:s) (?i:k)   also U+017F and U+212A; pairs of letters that fold to one are refused
//
// Refused besides: repeats of groups that may be empty, anchors, \w, \h, \b, look-behind, back
// references, named and atomic groups, options other than (?i:…), intersections of classes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/pattern/character.h"

namespace pdl {

// A set of characters.
struct CharacterSet {
  std::vector<CharacterRange> ranges;
  std::vector<std::string> properties;  // general categories: "L", "Lu" …
  bool is_negated = false;

  bool contains(char32_t character) const;
};

struct PatternNode;
using PatternSequence = std::vector<PatternNode>;

struct PatternNode {
  enum class Kind { kSet, kGroup, kLookahead, kNegativeLookahead };
  enum class Greed { kGreedy, kLazy, kPossessive };
  static constexpr int64_t kUnlimited = -1;

  Kind kind = Kind::kSet;
  CharacterSet set;
  std::vector<PatternSequence> alternatives;  // of a group or a lookahead
  int64_t min = 1;
  int64_t max = 1;
  Greed greed = Greed::kGreedy;

  bool is_optional() const { return min == 0; }
  bool is_repeated() const { return max == kUnlimited || max > 1; }
};

// Parses an expression into its alternatives. Throws std::invalid_argument, which says what is not
// supported and where, e.g. "\\w at byte 3 is not supported".
std::vector<PatternSequence> parse_pattern(std::string_view expression);

}  // namespace pdl
