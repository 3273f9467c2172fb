#include "pdl/tokens/sequences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "pdl/base/error.h"
#include "pdl/frequency/token_counts.h"
#include "support/corpus_of.h"

namespace pdl {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

// Makes documents of the given lengths, with ids 0, 1, 2, … across all of them.
TokenizedCorpus corpus_of_lengths(const std::vector<int64_t>& lengths) {
  std::vector<Token> tokens;
  std::vector<int64_t> ends;
  for (const int64_t length : lengths) {
    for (int64_t i = 0; i < length; ++i) tokens.emplace_back(static_cast<int32_t>(tokens.size()));
    ends.push_back(std::ssize(tokens));
  }
  return corpus_of(tokens, ends);
}

TEST(SequencesTest, PackingCutsTheStreamOfAllDocuments) {
  const Sequences rows(corpus_of_lengths({3, 4}), {.max_length = 4, .packing = true});
  ASSERT_EQ(rows.size(), 2);
  EXPECT_THAT(ids_of(rows.tokens(0)), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(ids_of(rows.tokens(1)), ElementsAre(4, 5, 6));  // shorter, kept
  EXPECT_EQ(rows.num_targets(), 5);
  EXPECT_EQ(rows.longest(), 4);
}

TEST(SequencesTest, ARowOfOneTokenIsDropped) {
  EXPECT_EQ(Sequences(corpus_of_lengths({5}), {.max_length = 4, .packing = true}).size(), 1);
  EXPECT_EQ(Sequences(corpus_of_lengths({1, 3, 1}), {.max_length = 4, .packing = false}).size(), 1);
}

TEST(SequencesTest, WithoutPackingADocumentIsARowOrSeveral) {
  const Sequences rows(corpus_of_lengths({2, 5}), {.max_length = 3, .packing = false});
  ASSERT_EQ(rows.size(), 3);
  EXPECT_THAT(ids_of(rows.tokens(0)), ElementsAre(0, 1));
  EXPECT_THAT(ids_of(rows.tokens(1)), ElementsAre(2, 3, 4));
  EXPECT_THAT(ids_of(rows.tokens(2)), ElementsAre(5, 6));
}

TEST(SequencesTest, NothingToPredictIsADataError) {
  EXPECT_THROW(Sequences(corpus_of_lengths({1, 1}), {.max_length = 4, .packing = false}),
               DataError);
}

TEST(SequencesTest, CountsEveryTargetAndNoFirstToken) {
  for (const bool packing : {true, false}) {
    for (const int64_t max_length : {2, 3, 7, 100}) {
      const Sequences rows(corpus_of_lengths({1, 9, 4, 30, 2}),
                           {.max_length = max_length, .packing = packing});
      const std::vector<int64_t> counts = count_targets(rows, 46);
      EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), int64_t{0}), rows.num_targets());
      for (int64_t row = 0; row < rows.size(); ++row) {
        EXPECT_EQ(counts[static_cast<size_t>(rows.tokens(row).front().id())], 0);
      }
    }
  }
}

TEST(SequencesTest, WhatIsNotTrainedIsNoTarget) {
  const std::vector<Token> tokens = {Token(1, false), Token(2, false), Token(3),  // a prompt first
                                     Token(4, false), Token(5, false),            // a prompt alone
                                     Token(6),        Token(7)};
  const Sequences rows(corpus_of(tokens, {3, 5, 7}), {.max_length = 8, .packing = false});
  ASSERT_EQ(rows.size(), 2);
  EXPECT_EQ(rows.num_untrained(), 1);
  EXPECT_EQ(rows.num_targets(), 2);
  EXPECT_THAT(ids_of(rows.tokens(0)), ElementsAre(1, 2, 3));
  EXPECT_THAT(count_targets(rows, 8), ElementsAre(0, 0, 0, 1, 0, 0, 0, 1));
}

std::string refusal(std::vector<Token> tokens) {
  const int64_t end = std::ssize(tokens);
  try {
    const Sequences rows(corpus_of(std::move(tokens), {end}), {}, "eval_files ('a.jsonl')");
  } catch (const DataError& problem) {
    return problem.what();
  }
  return "";
}

TEST(SequencesTest, ACorpusWithoutTargetsIsRefusedByName) {
  EXPECT_THAT(refusal({Token(1), Token(2, false)}),
              StartsWith("eval_files ('a.jsonl'): no token is a target: all are of prompts"));
  EXPECT_THAT(refusal({Token(1)}), StartsWith("eval_files ('a.jsonl'): no document has two"));
}

TEST(SequencesTest, AnIdOutsideTheVocabularyIsADataError) {
  const Sequences rows(corpus_of_lengths({5}), {.max_length = 8, .packing = true});
  EXPECT_NO_THROW(count_targets(rows, 5));
  EXPECT_THROW(count_targets(rows, 4), DataError);
}

}  // namespace
}  // namespace pdl
