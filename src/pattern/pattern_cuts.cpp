#include "pattern_cuts.h"

#include <algorithm>
#include <string_view>

namespace pdl {
namespace {

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

bool has_letter(const CharacterSet& set) {
  return std::any_of(kLetters.begin(), kLetters.end(),
                     [&](char letter) { return set.contains(static_cast<char32_t>(letter)); });
}

// What a part of an expression can do around a cut.
struct Shape {
  bool can_be_empty = false;
  bool can_begin_with_separator = false;
  bool can_end_with_letter = false;  // it, or what is matched of it so far
  bool is_safe = true;
};

Shape shape_of(const std::vector<PatternSequence>& alternatives, char32_t separator);

bool reads_one_character(const PatternNode& lookahead) {
  return std::all_of(lookahead.alternatives.begin(), lookahead.alternatives.end(),
                     [](const PatternSequence& sequence) {
                       return sequence.size() == 1 && sequence[0].kind == PatternNode::Kind::kSet &&
                              !sequence[0].is_repeated();
                     });
}

Shape shape_of(const PatternNode& node, char32_t separator) {
  Shape shape;
  if (node.kind == PatternNode::Kind::kSet) {
    shape.can_begin_with_separator = node.set.contains(separator);
    shape.can_end_with_letter = has_letter(node.set);
  } else if (node.kind == PatternNode::Kind::kGroup) {
    shape = shape_of(node.alternatives, separator);
  } else {
    shape.can_be_empty = true;
    shape.is_safe = reads_one_character(node);
  }
  shape.can_be_empty = shape.can_be_empty || node.is_optional();
  if (node.is_repeated() && shape.can_end_with_letter && shape.can_begin_with_separator) {
    shape.is_safe = false;
  }
  return shape;
}

bool is_lookahead(const PatternNode& node) {
  return node.kind == PatternNode::Kind::kLookahead ||
         node.kind == PatternNode::Kind::kNegativeLookahead;
}

// A lookahead at the begin of a repeated or later part could stand after a letter: refused there
// by taking its place for one that begins with the separator.
Shape shape_of(const PatternSequence& sequence, char32_t separator) {
  Shape whole;
  whole.can_be_empty = true;
  for (const PatternNode& node : sequence) {
    Shape part = shape_of(node, separator);
    if (is_lookahead(node)) part.can_begin_with_separator = true;
    if (!part.is_safe || (whole.can_end_with_letter && part.can_begin_with_separator)) {
      whole.is_safe = false;
    }
    whole.can_begin_with_separator =
        whole.can_begin_with_separator || (whole.can_be_empty && part.can_begin_with_separator);
    whole.can_end_with_letter =
        part.can_end_with_letter || (part.can_be_empty && whole.can_end_with_letter);
    whole.can_be_empty = whole.can_be_empty && part.can_be_empty;
  }
  return whole;
}

Shape shape_of(const std::vector<PatternSequence>& alternatives, char32_t separator) {
  Shape any;
  for (const PatternSequence& sequence : alternatives) {
    const Shape shape = shape_of(sequence, separator);
    any.can_be_empty = any.can_be_empty || shape.can_be_empty;
    any.can_begin_with_separator = any.can_begin_with_separator || shape.can_begin_with_separator;
    any.can_end_with_letter = any.can_end_with_letter || shape.can_end_with_letter;
    any.is_safe = any.is_safe && shape.is_safe;
  }
  return any;
}

// Whether the sequence matches `letter` alone: one set takes it, everything else is left out.
bool matches_alone(const PatternSequence& sequence, char32_t letter) {
  for (size_t taker = 0; taker < sequence.size(); ++taker) {
    const PatternNode& node = sequence[taker];
    const bool takes = node.kind == PatternNode::Kind::kSet && node.min <= 1 && node.max != 0 &&
                       node.set.contains(letter);
    if (!takes) continue;
    bool others_stay_out = true;
    for (size_t i = 0; i < sequence.size(); ++i) {
      if (i == taker) continue;
      const bool may_snatch =
          i < taker && sequence[i].greed == PatternNode::Greed::kPossessive &&
          (sequence[i].kind != PatternNode::Kind::kSet || sequence[i].set.contains(letter));
      others_stay_out = others_stay_out && sequence[i].is_optional() && !may_snatch;
    }
    if (others_stay_out) return true;
  }
  return false;
}

}  // namespace

bool never_crosses_cut(const std::vector<PatternSequence>& alternatives, char32_t separator) {
  return shape_of(alternatives, separator).is_safe;
}

bool covers_letters(const std::vector<PatternSequence>& alternatives) {
  return std::all_of(kLetters.begin(), kLetters.end(), [&](char letter) {
    return std::any_of(alternatives.begin(), alternatives.end(),
                       [&](const PatternSequence& sequence) {
                         return matches_alone(sequence, static_cast<char32_t>(letter));
                       });
  });
}

}  // namespace pdl
