#include "pdl/pattern/pattern.h"

#include <gtest/gtest.h>

#include <cctype>
#include <stdexcept>
#include <string>
#include <vector>

namespace pdl {
namespace {

// All matches in `text`, which is a document of its own.
std::vector<std::string> matches(const Pattern& pattern, std::string_view text) {
  std::vector<std::string> found;
  for (TextSpan match{}; pattern.find(text, match.end, match);) {
    found.emplace_back(text.substr(match.begin, match.end - match.begin));
  }
  return found;
}

TEST(PatternTest, ALiteralMatchesItselfAndNothingElse) {
  const Pattern pattern = Pattern::literal("a.");
  EXPECT_EQ(matches(pattern, "a.ba.ab"), (std::vector<std::string>{"a.", "a."}));
  EXPECT_TRUE(matches(pattern, "").empty());
  EXPECT_THROW(Pattern::literal(""), std::invalid_argument);
}

TEST(PatternTest, AnExpressionThatMatchesNothingIsRefused) {
  EXPECT_THROW(Pattern::regex("a*"), std::invalid_argument);
  EXPECT_THROW(Pattern::regex("(a"), std::invalid_argument);
}

// A run of letters takes the shortcut of plain words, one with a digit does not.
TEST(PatternTest, ShortcutAndExpressionCutAtTheSamePlaces) {
  const Pattern words = Pattern::regex(" ?\\p{L}+|\\p{N}{1,2}");
  EXPECT_EQ(matches(words, "abc def9é xy"),
            (std::vector<std::string>{"abc", " def", "9", "é", " xy"}));
  const Pattern short_words = Pattern::regex("[a-z]{1,3}");
  EXPECT_EQ(matches(short_words, "abcdefg"), (std::vector<std::string>{"abc", "def", "g"}));
}

// allows_cut() is a proof: where it says yes, a text cut at every such place has the matches of the
// whole text.
TEST(PatternTest, AllowedCutsChangeNoMatch) {
  struct Case {
    std::string expression;
    bool allows_cut;
  };
  const std::vector<Case> cases = {
      {" ?[a-z]+|[0-9]+", true},
      {"[a-z]+|\\s+(?!\\S)|\\s+", true},
      {"[a-z]+ [a-z]+|[a-z]", false},
      {"[a-z]+(?=\\s)|[a-z]", false},
      {"[^a]+|a", false},
  };
  const std::string text = "ab cd 12 e f  g 3h ij";
  for (const auto& [expression, allows_cut] : cases) {
    const Pattern pattern = Pattern::regex(expression);
    EXPECT_EQ(pattern.allows_cut(' '), allows_cut) << expression;
    if (!pattern.allows_cut(' ')) continue;
    std::vector<std::string> in_pieces;
    size_t begin = 0;
    for (size_t at = 1; at <= text.size(); ++at) {
      const bool is_place = at + 1 < text.size() && std::isalpha(text[at - 1]) != 0 &&
                            text[at] == ' ' && std::isalpha(text[at + 1]) != 0;
      if (!is_place && at < text.size()) continue;
      for (const std::string& match : matches(pattern, text.substr(begin, at - begin))) {
        in_pieces.push_back(match);
      }
      begin = at;
    }
    EXPECT_EQ(in_pieces, matches(pattern, text)) << expression;
  }
}

}  // namespace
}  // namespace pdl
