#include "pdl/quality/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pdl {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(WordsOfTest, SplitsTakesPunctuationOffAndLowers) {
  EXPECT_THAT(words_of("The sea's \"end\", \n\t(at-last)... OK?"),
              ElementsAre("the", "sea's", "end", "at-last", "ok"));
}

TEST(WordsOfTest, DropsWhatIsPunctuationAlone) {
  EXPECT_THAT(words_of(" -- !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ."), IsEmpty());
  EXPECT_THAT(words_of(""), IsEmpty());
  EXPECT_THAT(words_of(" \n"), IsEmpty());
}

TEST(WordsOfTest, KnowsWhiteSpaceOfUnicodeButAsciiAloneElse) {
  // No-break, em and ideographic space, next line, file separator.
  EXPECT_THAT(words_of("a\u00a0b\u2003c\u3000d\u0085"
                       "e\x1c"
                       "f"),
              ElementsAre("a", "b", "c", "d", "e", "f"));
  EXPECT_THAT(words_of("a\u200bb"), ElementsAre("a\u200bb"));
  EXPECT_THAT(words_of("ÉTÉ, «Oui»"), ElementsAre("ÉtÉ", "«oui»"));
}

TEST(WordsOfTest, TakesBytesThatAreNoUtf8) {
  EXPECT_THAT(words_of("a\xff b\xe2\x82"), ElementsAre("a\xff", "b\xe2\x82"));
  EXPECT_THAT(words_of(std::string_view("a\0b c", 5)), ElementsAre(std::string("a\0b", 3), "c"));
}

TEST(WordIdsTest, AreEqualWhereWordsAre) {
  const std::vector<std::string> texts = {"The sea, the", "", "sea SKY"};
  EXPECT_EQ(word_ids(texts), (Samples{{0, 1, 0}, {}, {1, 2}}));
}

std::vector<int32_t> cycle(int length, int types) {
  std::vector<int32_t> words;
  for (int i = 0; i < length; ++i) words.push_back(i % types);
  return words;
}

TEST(MattrTest, IsTheMeanOfWindows) {
  // Windows of three: 112, 121, 211.
  EXPECT_EQ(mattr(std::vector<int32_t>{1, 1, 2, 1, 1}, 3), 2.0 / 3);
  // 11, 12, 21, 11.
  EXPECT_EQ(mattr(std::vector<int32_t>{1, 1, 2, 1, 1}, 2), 6.0 / 8);
  EXPECT_EQ(mattr(cycle(500, 20)), 0.4);
}

TEST(MattrTest, OfFewWordsIsTheirRatio) {
  EXPECT_EQ(mattr(cycle(50, 10)), 0.2);
  EXPECT_EQ(mattr(cycle(40, 10)), 0.25);
  EXPECT_EQ(mattr(std::vector<int32_t>{1}), 1);
  EXPECT_FALSE(mattr({}).has_value());
}

TEST(MtldTest, IsWordsByFactors) {
  // One word again and again: a factor every two words.
  EXPECT_EQ(mtld(cycle(10, 1)), 2);
  // There: 1/1, 1/2 ends a factor; 1, 1, 2/3 ends one. Back: 1, 1, 2/3; 1/1, 1/2.
  EXPECT_EQ(mtld(std::vector<int32_t>{1, 1, 2, 3, 2}), 2.5);
}

TEST(MtldTest, CountsAPartOfAFactor) {
  // At the end the ratio is 3/4, of the way from 1 to 0.72 the part 0.25 / 0.28.
  EXPECT_NEAR(mtld(std::vector<int32_t>{1, 2, 3, 1}).value(), 4 / (0.25 / 0.28), 1e-12);
}

TEST(MtldTest, OfDifferentWordsIsTheirNumber) {
  EXPECT_EQ(mtld(cycle(7, 7)), 7);
  EXPECT_EQ(mtld(std::vector<int32_t>{5}), 1);
  EXPECT_FALSE(mtld({}).has_value());
}

}  // namespace
}  // namespace pdl
