#include "pattern_syntax.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace pdl {
namespace {

constexpr char32_t kLastCharacter = 0x10ffff;
constexpr size_t kMaxDepth = 32;
constexpr int64_t kMaxRepeats = 1000;

// Categories whose members Oniguruma and PCRE2 agree on once the later characters are added.
constexpr std::array<std::string_view, 27> kCategories = {
    "L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Me", "N",  "Nd", "Nl", "No", "P", "Pc",
    "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z",  "Zs"};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<PatternSequence> parse() {
    std::vector<PatternSequence> alternatives = parse_alternatives(0);
    if (at_ < text_.size()) refuse(at_, "a ) without its (");
    return alternatives;
  }

 private:
  [[noreturn]] void refuse(size_t at, const std::string& what) const {
    throw std::invalid_argument(what + " at byte " + std::to_string(at) + " is not supported");
  }
  bool at_end() const { return at_ == text_.size(); }
  bool next_is(std::string_view expected) const {
    return text_.substr(at_, expected.size()) == expected;
  }
  bool accept(std::string_view expected) {
    if (!next_is(expected)) return false;
    at_ += expected.size();
    return true;
  }
  char32_t take() {
    if (at_end()) refuse(at_, "an expression that ends too early");
    return next_character(text_, at_);
  }

  std::vector<PatternSequence> parse_alternatives(size_t depth);
  PatternSequence parse_sequence(size_t depth);
  PatternNode parse_atom(size_t depth);
  PatternNode parse_group(size_t depth);
  void parse_repeats(PatternNode& node);
  bool parse_interval(PatternNode& node);
  int64_t parse_count();
  CharacterSet parse_escape(bool in_class);
  CharacterSet parse_property(bool is_negated);
  char32_t parse_hexadecimal(size_t begin, size_t digits, bool braces);
  CharacterSet parse_class();
  void parse_class_items(CharacterSet& set, size_t depth);
  void parse_class_item(CharacterSet& set, bool is_first);
  void parse_range_end(CharacterSet& set, char32_t first, size_t begin);
  void add(CharacterSet& set, const CharacterSet& item, size_t begin) const;
  void fold_case(CharacterSet& set, size_t begin) const;
  void refuse_folding_pair(const PatternSequence& sequence, char32_t letter, size_t begin) const;

  std::string_view text_;
  size_t at_ = 0;
  bool ignores_case_ = false;
};

CharacterSet single(char32_t character) { return {{{character, character}}, {}, false}; }

CharacterSet all_but(std::span<const CharacterRange> ranges) {
  CharacterSet set;
  char32_t next = 0;
  for (const CharacterRange& range : ranges) {
    if (range.first > next) set.ranges.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  set.ranges.push_back({next, kLastCharacter});
  return set;
}

std::vector<PatternSequence> Parser::parse_alternatives(size_t depth) {
  if (depth > kMaxDepth) refuse(at_, "a group that is nested this deeply");
  std::vector<PatternSequence> alternatives;
  do {
    alternatives.push_back(parse_sequence(depth));
  } while (accept("|"));
  return alternatives;
}

// Returns the letter that a set stands for if it is one letter in both cases, else 0.
char32_t folded_letter(const PatternNode& node) {
  if (node.kind != PatternNode::Kind::kSet || node.set.ranges.size() < 2) return 0;
  const CharacterRange first = node.set.ranges.front();
  return first.first == first.last && is_ascii_letter(first.first) ? first.first : 0;
}

// Oniguruma also matches one character for two letters: U+FB05 for "st".
void Parser::refuse_folding_pair(const PatternSequence& sequence, char32_t letter,
                                 size_t begin) const {
  if (sequence.empty() || letter == 0) return;
  constexpr std::array<std::u32string_view, 5> kPairs = {U"ss", U"ff", U"fi", U"fl", U"st"};
  const std::u32string pair = {folded_letter(sequence.back()), letter};
  if (std::find(kPairs.begin(), kPairs.end(), pair) != kPairs.end()) {
    refuse(begin, "a pair of letters with a ligature in (?i:…)");
  }
}

PatternSequence Parser::parse_sequence(size_t depth) {
  PatternSequence sequence;
  while (!at_end() && !next_is("|") && !next_is(")")) {
    const size_t begin = at_;
    PatternNode node = parse_atom(depth);
    if (ignores_case_) refuse_folding_pair(sequence, folded_letter(node), begin);
    parse_repeats(node);
    sequence.push_back(std::move(node));
  }
  return sequence;
}

PatternNode Parser::parse_atom(size_t depth) {
  const size_t begin = at_;
  PatternNode node;
  const char32_t character = take();
  switch (character) {
    case '(':
      return parse_group(depth);
    case '[':
      node.set = parse_class();
      break;
    case '\\':
      node.set = parse_escape(false);
      break;
    case '.':
      node.set = {{{'\n', '\n'}}, {}, true};
      break;
    case '^':
    case '$':
      refuse(begin, "an anchor");
    case '*':
    case '+':
    case '?':
    case '{':
      refuse(begin, "a repeat of nothing");
    default:
      node.set = single(character);
  }
  if (ignores_case_) fold_case(node.set, begin);
  return node;
}

PatternNode Parser::parse_group(size_t depth) {
  const size_t begin = at_ - 1;
  PatternNode node;
  node.kind = PatternNode::Kind::kGroup;
  const bool outer_ignores_case = ignores_case_;
  if (accept("?=")) {
    node.kind = PatternNode::Kind::kLookahead;
  } else if (accept("?!")) {
    node.kind = PatternNode::Kind::kNegativeLookahead;
  } else if (accept("?i:")) {
    ignores_case_ = true;
  } else if (!accept("?:") && next_is("?")) {
    refuse(begin, "this kind of group");
  }
  node.alternatives = parse_alternatives(depth + 1);
  ignores_case_ = outer_ignores_case;
  if (!accept(")")) refuse(begin, "a ( without its )");
  return node;
}

int64_t Parser::parse_count() {
  int64_t count = -1;
  while (!at_end() && text_[at_] >= '0' && text_[at_] <= '9' && count <= kMaxRepeats) {
    count = std::max<int64_t>(count, 0) * 10 + (text_[at_++] - '0');
  }
  return count;
}

// {n} {n,} {n,m} {,m}
bool Parser::parse_interval(PatternNode& node) {
  const size_t begin = at_;
  if (!accept("{")) return false;
  node.min = parse_count();
  node.max = node.min;
  const bool has_comma = accept(",");
  if (has_comma) node.max = parse_count();
  if (!accept("}") || (node.min < 0 && node.max < 0) || node.min > kMaxRepeats ||
      node.max > kMaxRepeats) {
    refuse(begin, "this interval");
  }
  node.min = std::max<int64_t>(node.min, 0);
  if (node.max >= 0 && node.max < node.min) refuse(begin, "this interval");
  if (!has_comma && next_is("?")) refuse(begin, "an interval of one number before ?");
  if (accept("?")) node.greed = PatternNode::Greed::kLazy;
  return true;
}

bool may_be_empty(const std::vector<PatternSequence>& alternatives) {
  const auto is_empty = [](const PatternNode& node) {
    const bool is_group = node.kind == PatternNode::Kind::kGroup;
    return node.is_optional() || (is_group && may_be_empty(node.alternatives)) ||
           (!is_group && node.kind != PatternNode::Kind::kSet);
  };
  return std::any_of(alternatives.begin(), alternatives.end(), [&](const auto& sequence) {
    return std::all_of(sequence.begin(), sequence.end(), is_empty);
  });
}

// An interval before + is repeated as a whole: only ?, * and + may be possessive.
void Parser::parse_repeats(PatternNode& node) {
  const size_t begin = at_;
  bool is_interval = false;
  if (accept("?")) {
    node.min = 0;
  } else if (accept("*")) {
    node.min = 0;
    node.max = PatternNode::kUnlimited;
  } else if (accept("+")) {
    node.max = PatternNode::kUnlimited;
  } else if (parse_interval(node)) {
    is_interval = true;
  } else {
    return;
  }
  const bool is_set_or_group =
      node.kind == PatternNode::Kind::kSet || node.kind == PatternNode::Kind::kGroup;
  if (!is_set_or_group) refuse(begin, "a repeat of a lookahead");
  if (!is_interval && accept("?")) {
    node.greed = PatternNode::Greed::kLazy;
  } else if (!is_interval && accept("+")) {
    node.greed = PatternNode::Greed::kPossessive;
  } else if (is_interval && node.greed == PatternNode::Greed::kGreedy && accept("+")) {
    PatternNode outer;
    outer.kind = PatternNode::Kind::kGroup;
    outer.max = PatternNode::kUnlimited;
    outer.alternatives = {{std::move(node)}};
    node = std::move(outer);
  }
  if (next_is("?") || next_is("*") || next_is("+") || next_is("{")) {
    refuse(at_, "a repeat of a repeat");
  }
  // The libraries leave a loop that does not move at different points.
  if (node.kind == PatternNode::Kind::kGroup && node.is_repeated() &&
      may_be_empty(node.alternatives)) {
    refuse(begin, "a repeat of a group that may be empty");
  }
}

char32_t Parser::parse_hexadecimal(size_t begin, size_t digits, bool braces) {
  char32_t value = 0;
  size_t count = 0;
  for (; count < digits && !at_end(); ++count) {
    const char digit = text_[at_];
    if (digit >= '0' && digit <= '9') {
      value = value * 16 + static_cast<char32_t>(digit - '0');
    } else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f') {
      value = value * 16 + static_cast<char32_t>((digit | 0x20) - 'a' + 10);
    } else {
      break;
    }
    ++at_;
  }
  const bool is_whole = braces ? count > 0 && accept("}") : count == digits;
  if (!is_whole || value > kLastCharacter || (value >= 0xd800 && value < 0xe000)) {
    refuse(begin, "this character number");
  }
  return value;
}

CharacterSet Parser::parse_property(bool is_negated) {
  const size_t begin = at_;
  const size_t end = text_.find('}', at_);
  if (!accept("{") || end == std::string_view::npos) refuse(begin, "a property without {…}");
  if (accept("^")) is_negated = !is_negated;
  const std::string name(text_.substr(at_, end - at_));
  if (std::find(kCategories.begin(), kCategories.end(), name) == kCategories.end()) {
    refuse(begin, "the property {" + name + "}");
  }
  at_ = end + 1;
  return {{}, {name}, is_negated};
}

CharacterSet Parser::parse_escape(bool in_class) {
  const size_t begin = at_ - 1;
  const char32_t character = take();
  switch (character) {
    case 's':
      return {{space_ranges().begin(), space_ranges().end()}, {}, false};
    case 'S':
      return all_but(space_ranges());
    case 'd':
      return {{}, {"Nd"}, false};
    case 'D':
      return {{}, {"Nd"}, true};
    case 'p':
      return parse_property(false);
    case 'P':
      return parse_property(true);
    case 'n':
      return single('\n');
    case 'r':
      return single('\r');
    case 't':
      return single('\t');
    case 'f':
      return single('\f');
    case 'v':
      return single('\v');
    case 'u':
      return single(parse_hexadecimal(begin, 4, false));
    case 'x':
      if (accept("{")) return single(parse_hexadecimal(begin, 8, true));
      if (next_is("8") || next_is("9") || (!at_end() && text_[at_] > '9')) {
        refuse(begin, "a \\x that is a byte of a longer character");
      }
      return single(parse_hexadecimal(begin, 2, false));
    default:
      break;
  }
  const bool is_letter_or_digit = is_ascii_letter(character) || is_numeric(character);
  if (is_letter_or_digit || character >= 0x80 || (character <= ' ' && character != ' ')) {
    std::string written = "\\";
    append_utf8(character, written);
    refuse(begin, written + (in_class ? " in a class" : ""));
  }
  return single(character);
}

void Parser::add(CharacterSet& set, const CharacterSet& item, size_t begin) const {
  if (item.is_negated) refuse(begin, "a negated property among others");
  set.ranges.insert(set.ranges.end(), item.ranges.begin(), item.ranges.end());
  set.properties.insert(set.properties.end(), item.properties.begin(), item.properties.end());
}

CharacterSet Parser::parse_class() {
  CharacterSet set;
  set.is_negated = accept("^");
  // [\P{L}] and [^\P{L}]: one negated property alone.
  const size_t begin = at_;
  if (accept("\\P") || accept("\\D")) {
    const bool is_digit = text_[at_ - 1] == 'D';
    CharacterSet negated = is_digit ? CharacterSet{{}, {"Nd"}, true} : parse_property(true);
    if (accept("]")) {
      negated.is_negated = negated.is_negated != set.is_negated;
      return negated;
    }
    at_ = begin;
  }
  parse_class_items(set, 0);
  return set;
}

void Parser::parse_class_items(CharacterSet& set, size_t depth) {
  if (depth > kMaxDepth) refuse(at_, "a class that is nested this deeply");
  if (next_is("]")) refuse(at_, "] as the first of a class");
  for (bool is_first = true; !accept("]"); is_first = false) {
    const size_t begin = at_;
    if (next_is("&&")) refuse(begin, "an intersection");
    if (next_is("[:") || next_is("[^")) refuse(begin, "a class of this kind in a class");
    if (accept("[")) {
      parse_class_items(set, depth + 1);
    } else {
      parse_class_item(set, is_first);
    }
  }
}

void Parser::parse_class_item(CharacterSet& set, bool is_first) {
  const size_t begin = at_;
  const char32_t character = take();
  if (character == '-' && !is_first && !next_is("]")) refuse(begin, "a - that is no range");
  const CharacterSet item = character == '\\' ? parse_escape(true) : single(character);
  const bool is_character = item.properties.empty() && item.ranges.size() == 1 &&
                            item.ranges[0].first == item.ranges[0].last;
  if (!next_is("-") || text_.substr(at_, 2) == "-]") {
    add(set, item, begin);
    return;
  }
  if (!is_character || character == '-') refuse(begin, "this range");
  parse_range_end(set, item.ranges[0].first, begin);
}

void Parser::parse_range_end(CharacterSet& set, char32_t first, size_t begin) {
  accept("-");
  const char32_t character = take();
  if (character == '[' || character == '-') refuse(begin, "this range");
  const CharacterSet last = character == '\\' ? parse_escape(true) : single(character);
  const bool is_character = last.properties.empty() && last.ranges.size() == 1 &&
                            last.ranges[0].first == last.ranges[0].last;
  if (!is_character || last.ranges[0].first < first) refuse(begin, "this range");
  set.ranges.push_back({first, last.ranges[0].first});
}

void Parser::fold_case(CharacterSet& set, size_t begin) const {
  if (set.is_negated || !set.properties.empty()) refuse(begin, "a negation or property in (?i:…)");
  std::vector<CharacterRange> folded = set.ranges;
  for (const CharacterRange& range : set.ranges) {
    if (range.last >= 0x80) refuse(begin, "a character that is not ASCII in (?i:…)");
    for (char32_t character = range.first; character <= range.last; ++character) {
      if (!is_ascii_letter(character)) continue;
      folded.push_back({character ^ 0x20, character ^ 0x20});
      if ((character | 0x20) == 's') folded.push_back({0x17f, 0x17f});
      if ((character | 0x20) == 'k') folded.push_back({0x212a, 0x212a});
    }
  }
  // One letter comes out as its lower case first: folded_letter() looks there.
  if (folded.size() >= 2 && folded[0].first == folded[0].last && folded[0].first < 'a') {
    std::swap(folded[0], folded[1]);
  }
  set.ranges = std::move(folded);
}

}  // namespace

bool CharacterSet::contains(char32_t character) const {
  bool is_member = std::any_of(ranges.begin(), ranges.end(), [&](const CharacterRange& range) {
    return range.first <= character && character <= range.last;
  });
  const std::string_view category = general_category(character);
  for (const std::string& property : properties) {
    is_member = is_member || category.starts_with(property);
  }
  return is_member != is_negated;
}

std::vector<PatternSequence> parse_pattern(std::string_view expression) {
  return Parser(expression).parse();
}

}  // namespace pdl
