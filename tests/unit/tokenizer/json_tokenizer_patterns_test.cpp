// Regular expressions of tokenizer.json files: what they match, and which are refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pdl/base/error.h"
#include "support/json_tokenizer_files.h"

namespace pdl::tokenizer_files {
namespace {

using ::testing::ElementsAre;

TEST_F(JsonTokenizerTest, SplitBehaviorsAreThoseOfTheirDocumentation) {
  const std::string text = "the-final--countdown";
  const auto with = [&](const std::string& behavior) {
    return words(whole_file(split("-", behavior)), text);
  };
  EXPECT_THAT(with("Removed"), ElementsAre("the", "final", "countdown"));
  EXPECT_THAT(with("Isolated"), ElementsAre("the", "-", "final", "-", "-", "countdown"));
  EXPECT_THAT(with("MergedWithPrevious"), ElementsAre("the-", "final-", "-", "countdown"));
  EXPECT_THAT(with("MergedWithNext"), ElementsAre("the", "-final", "-", "-countdown"));
  EXPECT_THAT(with("Contiguous"), ElementsAre("the", "-", "final", "--", "countdown"));
  EXPECT_THAT(words(whole_file(split("[a-z]+", "Removed", true)), text),
              ElementsAre("the", "final", "countdown"));
}

// Where Oniguruma and PCRE2 differ, the words are Oniguruma's.
TEST_F(JsonTokenizerTest, ExpressionsMeanWhatOnigurumaReads) {
  const auto isolated = [&](const std::string& expression, std::string_view text) {
    return words(whole_file(split(expression, "Isolated")), text);
  };
  EXPECT_THAT(isolated(R"(\s)", "a\u180eb"), ElementsAre("a\u180eb"));
  EXPECT_THAT(isolated(R"(\v)", "a\nb\vc"), ElementsAre("a\nb", "\v", "c"));
  EXPECT_THAT(isolated(R"(x{1,2}+)", "xxxxx"), ElementsAre("xxxxx"));
  EXPECT_THAT(isolated(R"(x{1,2}+x)", "xxxxx"), ElementsAre("xxxxx"));  // not possessive
  EXPECT_THAT(isolated(R"(ax{,2})", "axxx"), ElementsAre("axx", "x"));
  EXPECT_THAT(isolated(R"('(?i:s))", "i'S'\u017f"), ElementsAre("i", "'S", "'\u017f"));
  EXPECT_THAT(isolated(R"(\p{L}+)", "a\U00031350\U00010d50!"),
              ElementsAre("a\U00031350\U00010d50", "!"));  // of Unicode 15 and 16
  EXPECT_THAT(isolated(R"([^[ab]c]+)", "abxyc"), ElementsAre("ab", "xy", "c"));  // a union
}

TEST_F(JsonTokenizerTest, ExpressionsThatCouldMeanSomethingElseAreRefused) {
  for (const char* expression : {R"(\w+)",
                                 R"(\bx)",
                                 "^a",
                                 "a$",
                                 R"(\h)",
                                 R"((?<=a)b)",
                                 R"((a)\1)",
                                 "(?i)a",
                                 "(?>a)",
                                 "[a&&b]",
                                 "[[:alpha:]]",
                                 "[^[^a]]",
                                 R"(\p{Han})",
                                 R"(\p{Greek}+)",
                                 R"(\p{Mn})",
                                 "(?i:ss)",
                                 "(?i:é)",
                                 "(?i:[^a])",
                                 "a*",
                                 "",
                                 "a|",
                                 "(",
                                 ")",
                                 "[",
                                 "[]",
                                 "[]a]",
                                 "a{2}?",
                                 "a**",
                                 "*a",
                                 R"(\)",
                                 R"(\x{110000})",
                                 R"(\ud800)",
                                 "a{1000000}",
                                 "[z-a]",
                                 R"([\P{L}a])",
                                 "(?#x)a",
                                 "(?:a?)*b",
                                 "(?:(?=a)|b)+c",
                                 "a{0,2}+b"}) {
    EXPECT_NE(refusal(whole_file(split(expression, "Isolated"))), "") << expression;
  }
}

TEST_F(JsonTokenizerTest, ARegularExpressionThatNeverEndsIsADataError) {
  const auto tokenizer = load(whole_file(split("(?:a|aa)+[^a]", "Isolated")));
  EXPECT_THROW(tokenizer->encode(std::string(200, 'a')), DataError);
}

// A letter in four ways, and what must follow is not there: sixteen letters are too many tries.
TEST_F(JsonTokenizerTest, APatternThatTakesTooManyTriesIsNoFaultOfTheFile) {
  const auto tokenizer =
      load(whole_file(split("(?:[a-z]|[a-z]|[a-z]|[a-z])+[^a-z]!|[a-z]+", "Isolated")));
  EXPECT_EQ(tokenizer->encode("ab"), Ids{6});
  EXPECT_THROW(tokenizer->encode(std::string(40, 'a') + "!"), DataError);
}

}  // namespace
}  // namespace pdl::tokenizer_files
