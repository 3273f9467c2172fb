#include "pdl/example/grammar/grammar_corpus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>
#include <stdexcept>

#include "pdl/base/sha256.h"

namespace pdl {
namespace {

constexpr LexiconSizes kFewWords = {40, 20, 20, 10, 10, 4};

std::vector<int64_t> word_counts(const std::string& text) {
  std::map<std::string, int64_t> counts;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    ++counts[word];
  }
  std::vector<int64_t> sorted;
  for (const auto& [word, count] : counts) {
    sorted.push_back(count);
  }
  std::sort(sorted.rbegin(), sorted.rend());
  return sorted;
}

TEST(ZipfSamplerTest, FrequencyFallsWithTheRank) {
  const ZipfSampler sampler(8);
  Random random(1);
  std::vector<int> counts(8);
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) {
    ++counts.at(sampler.draw(random));
  }
  double sum = 0;
  for (int rank = 0; rank < 8; ++rank) {
    sum += 1.0 / (rank + 2);
  }
  for (int rank = 0; rank < 8; ++rank) {
    const double expected = kDraws / (rank + 2) / sum;
    EXPECT_NEAR(counts[static_cast<size_t>(rank)], expected, 5 * std::sqrt(expected));
  }
}

TEST(GrammarCorpusTest, TextIsAsLongAsAskedAndEndsWithItsParagraph) {
  const GrammarCorpus language(1, kFewWords);
  for (const int64_t bytes : {0, 1, 1000, 20000}) {
    const std::string text = language.text(bytes, 0);
    EXPECT_GE(std::ssize(text), bytes);
    EXPECT_LT(std::ssize(text), bytes + 1000);
    EXPECT_TRUE(text.ends_with(".\n") || text.ends_with("?\n"));
  }
}

TEST(GrammarCorpusTest, ParagraphsAreLinesWithABlankLineBetween) {
  std::istringstream lines(GrammarCorpus(1, kFewWords).text(20000, 0));
  int64_t number = 0;
  for (std::string line; std::getline(lines, line); ++number) {
    EXPECT_EQ(line.empty(), number % 2 == 1) << number;
  }
  EXPECT_GT(number, 100);
}

TEST(GrammarCorpusTest, IsAscii) {
  for (const char c : GrammarCorpus(7, LexiconSizes()).text(50000, 0)) {
    ASSERT_TRUE(c == '\n' || (c >= ' ' && c <= '~'));
  }
}

TEST(GrammarCorpusTest, SeedAndStreamDecideTheBytes) {
  const GrammarCorpus language(1, kFewWords);
  EXPECT_EQ(language.text(3000, 0), GrammarCorpus(1, kFewWords).text(3000, 0));
  EXPECT_NE(language.text(3000, 0), language.text(3000, 1));
  EXPECT_NE(language.text(3000, 0), GrammarCorpus(2, kFewWords).text(3000, 0));
}

// The bytes are the same on every machine. A change here changes every example and must be
// intended.
TEST(GrammarCorpusTest, BytesAreKnown) {
  EXPECT_EQ(sha256(GrammarCorpus(42, LexiconSizes()).text(100000, 0)),
            "453d6e6ec4d403ec7f42dae3f7e18c8dee00f285c89b8ad40c856f463f069997");
}

TEST(GrammarCorpusTest, WordFrequenciesFollowAPowerLaw) {
  const std::vector<int64_t> counts =
      word_counts(GrammarCorpus(42, LexiconSizes()).text(500000, 0));
  ASSERT_GT(counts.size(), 2000U);
  // Rank times frequency stays within a factor of three over two orders of magnitude.
  for (const size_t rank : {8U, 32U, 128U, 512U}) {
    const double product = static_cast<double>(counts[rank - 1]) * static_cast<double>(rank);
    const double reference = static_cast<double>(counts[63]) * 64;
    EXPECT_LT(product, 3 * reference) << rank;
    EXPECT_GT(product, reference / 3) << rank;
  }
}

TEST(GrammarCorpusTest, EvaluationTextSharesTheLanguage) {
  const GrammarCorpus language(1, kFewWords);
  std::map<std::string, int> known;
  std::istringstream train(language.text(200000, 0));
  for (std::string word; train >> word;) {
    ++known[word];
  }
  std::istringstream eval(language.text(20000, 1));
  int words = 0;
  int unknown = 0;
  for (std::string word; eval >> word; ++words) {
    unknown += known.contains(word) ? 0 : 1;
  }
  EXPECT_GT(words, 2000);
  EXPECT_LT(unknown * 20, words);
}

TEST(GrammarCorpusTest, DeterminersAgreeWithTheirNouns) {
  std::istringstream words(GrammarCorpus(3, kFewWords).text(20000, 0));
  const std::map<std::string, std::string> endings = {{"da", "a"},   {"dai", "ai"}, {"do", "o"},
                                                      {"doi", "oi"}, {"ena", "a"},  {"enoi", "oi"}};
  int checked = 0;
  for (std::string before, word; words >> word; before = word) {
    const auto ending = endings.find(before);
    if (ending != endings.end()) {
      word.erase(std::remove_if(word.begin(), word.end(), [](char c) { return c < 'a'; }),
                 word.end());
      EXPECT_TRUE(word.ends_with(ending->second)) << before << " " << word;
      ++checked;
    }
  }
  EXPECT_GT(checked, 500);
}

TEST(GrammarCorpusTest, SizesOutOfRangeAreRefused) {
  EXPECT_THROW(GrammarCorpus(1, {3, 20, 20, 10, 10, 4}), std::invalid_argument);
  EXPECT_THROW(GrammarCorpus(1, {20, 20, 20, 10, 10, 21}), std::invalid_argument);
}

}  // namespace
}  // namespace pdl
