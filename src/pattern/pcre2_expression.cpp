#include "pcre2_expression.h"

#include <string_view>

namespace pdl {
namespace {

std::string hexadecimal(char32_t character) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string digits;
  for (char32_t rest = character; rest != 0 || digits.empty(); rest /= 16) {
    digits.insert(digits.begin(), kDigits[rest % 16]);
  }
  return "\\x{" + digits + "}";
}

std::string written(const CharacterSet& set) {
  std::string text = set.is_negated ? "[^" : "[";
  for (const CharacterRange& range : set.ranges) {
    text += hexadecimal(range.first);
    if (range.last != range.first) text += "-" + hexadecimal(range.last);
  }
  for (const std::string& property : set.properties) {
    // PCRE2 looks its own table up for a property, but has a bitmap for characters given one by
    // one.
    for (char32_t ascii = 0; ascii < 0x80; ++ascii) {
      if (general_category(ascii).starts_with(property)) text += hexadecimal(ascii);
    }
    text += "\\p{" + property + "}";
    for (const LaterCharacters& later : later_characters()) {
      if (!std::string_view(later.category).starts_with(property)) continue;
      text += hexadecimal(later.first);
      if (later.last != later.first) text += "-" + hexadecimal(later.last);
    }
  }
  return text + "]";
}

std::string written(const PatternNode& node) {
  std::string text;
  switch (node.kind) {
    case PatternNode::Kind::kSet:
      text = written(node.set);
      break;
    case PatternNode::Kind::kGroup:
      text = "(?:" + pcre2_expression(node.alternatives) + ")";
      break;
    case PatternNode::Kind::kLookahead:
      return "(?=" + pcre2_expression(node.alternatives) + ")";
    case PatternNode::Kind::kNegativeLookahead:
      return "(?!" + pcre2_expression(node.alternatives) + ")";
  }
  if (node.min == 1 && node.max == 1) return text;
  text += "{" + std::to_string(node.min) + ",";
  if (node.max != PatternNode::kUnlimited) text += std::to_string(node.max);
  text += "}";
  if (node.greed == PatternNode::Greed::kLazy) text += "?";
  if (node.greed == PatternNode::Greed::kPossessive) text += "+";
  return text;
}

}  // namespace

std::string pcre2_expression(const std::vector<PatternSequence>& alternatives) {
  std::string text;
  for (size_t i = 0; i < alternatives.size(); ++i) {
    if (i > 0) text += "|";
    for (const PatternNode& node : alternatives[i]) text += written(node);
  }
  return text;
}

}  // namespace pdl
