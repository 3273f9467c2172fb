#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "pdl/base/error.h"
#include "pdl/base/random.h"
#include "pdl/generation/sampling/sampling.h"

namespace pdl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Scores = std::vector<float>;

constexpr float kGone = -std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Scores processed(Scores scores, const SamplingOptions& options,
                 const std::vector<int32_t>& ids = {},
                 const std::vector<int32_t>& suppressed = {}) {
  process_scores(scores, ids, options, suppressed);
  return scores;
}

// The ids that are left.
std::vector<int> kept(const Scores& scores, const SamplingOptions& options) {
  const Scores after = processed(scores, options);
  std::vector<int> left;
  for (size_t id = 0; id < after.size(); ++id) {
    if (after[id] != kGone) left.push_back(static_cast<int>(id));
  }
  return left;
}

// Scores whose softmax these probabilities are.
Scores with_probabilities(const std::vector<double>& probabilities) {
  Scores scores;
  for (const double p : probabilities) scores.push_back(static_cast<float>(std::log(p)));
  return scores;
}

Scores random_scores(size_t count, double range, uint64_t seed) {
  Random random(seed);
  Scores scores(count);
  for (float& score : scores) score = static_cast<float>((random.uniform() - 0.5) * range);
  return scores;
}

std::string error_of(const Scores& scores, const SamplingOptions& options,
                     const std::vector<int32_t>& suppressed = {}) {
  try {
    processed(scores, options, {}, suppressed);
  } catch (const NumericError& error) {
    return error.what();
  }
  return "";
}

TEST(ProcessScoresTest, DefaultsChangeNothing) {
  const Scores scores = random_scores(1000, 20, 1);
  EXPECT_EQ(processed(scores, {}, {1, 2, 1, 2}), scores);
  EXPECT_EQ(processed(scores, {.temperature = 1}, {1, 2, 1, 2}), scores);
}

TEST(ProcessScoresTest, GreedyUsesNoFilterOfProbabilities) {
  const Scores scores = {1, 2, 3};
  const SamplingOptions options{.top_k = 1, .top_p = 0.1, .min_p = 0.9};
  EXPECT_EQ(processed(scores, options), scores);
}

TEST(ProcessScoresTest, RepetitionPenaltyLowersEachTokenOnce) {
  const SamplingOptions options{.repetition_penalty = 2};
  EXPECT_THAT(processed({4, -4, 0, 1, kGone}, options, {0, 1, 0, 1, 1, 2, 4}),
              ElementsAre(2, -8, 0, 1, kGone));
}

TEST(ProcessScoresTest, IdsBeyondTheModelAreIgnored) {
  const SamplingOptions options{.repetition_penalty = 2, .no_repeat_ngram_size = 1};
  EXPECT_THAT(processed({1, 2, 3}, options, {1, 3, 1000}, {7}), ElementsAre(1, kGone, 3));
}

TEST(ProcessScoresTest, ARepeatedNgramIsNotEnded) {
  const Scores scores = {1, 2, 3, 4};
  const auto with_size = [&](int64_t size, const std::vector<int32_t>& ids) {
    return processed(scores, {.no_repeat_ngram_size = size}, ids);
  };
  EXPECT_THAT(with_size(1, {0, 2}), ElementsAre(kGone, 2, kGone, 4));
  EXPECT_THAT(with_size(2, {0, 1, 0, 3, 0}), ElementsAre(1, kGone, 3, kGone));
  EXPECT_THAT(with_size(2, {0, 0}), ElementsAre(kGone, 2, 3, 4));
  EXPECT_THAT(with_size(3, {0, 1, 2, 3, 0, 1}), ElementsAre(1, 2, kGone, 4));
  EXPECT_EQ(with_size(3, {0, 1}), scores);  // no 3-gram yet
  EXPECT_EQ(with_size(3, {0, 1, 2}), scores);
}

TEST(ProcessScoresTest, SuppressedTokensGoInGreedySearchToo) {
  EXPECT_THAT(processed({1, 2, 3}, {}, {}, {2, 0}), ElementsAre(kGone, 2, kGone));
}

TEST(ProcessScoresTest, TemperatureDivides) {
  EXPECT_THAT(processed({1, -2, kGone}, {.temperature = 0.5}), ElementsAre(2, -4, kGone));
}

TEST(ProcessScoresTest, TopKKeepsTies) {
  EXPECT_THAT(kept({1, 3, 2, 2, 0}, {.temperature = 1, .top_k = 1}), ElementsAre(1));
  EXPECT_THAT(kept({1, 3, 2, 2, 0}, {.temperature = 1, .top_k = 2}), ElementsAre(1, 2, 3));
  EXPECT_THAT(kept({1, 3, 2, 2, 0}, {.temperature = 1, .top_k = 4}), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(kept({1, 3, 2, 2, 0}, {.temperature = 1, .top_k = 9}), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(kept({kGone, 3, kGone}, {.temperature = 1, .top_k = 2}), ElementsAre(1));
}

TEST(ProcessScoresTest, TopKIsThatOfASort) {
  for (const int64_t k : {1, 2, 50, 500, 999}) {
    const Scores scores = random_scores(1000, 20, static_cast<uint64_t>(k));
    Scores sorted = scores;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    const Scores after = processed(scores, {.temperature = 1, .top_k = k});
    for (size_t id = 0; id < scores.size(); ++id) {
      EXPECT_EQ(after[id] != kGone, scores[id] >= sorted[static_cast<size_t>(k) - 1]);
    }
  }
}

TEST(ProcessScoresTest, TopPKeepsTheFewestThatReachIt) {
  const Scores scores = with_probabilities({0.1, 0.4, 0.3, 0.2});
  EXPECT_THAT(kept(scores, {.temperature = 1, .top_p = 0.35}), ElementsAre(1));
  EXPECT_THAT(kept(scores, {.temperature = 1, .top_p = 0.45}), ElementsAre(1, 2));
  EXPECT_THAT(kept(scores, {.temperature = 1, .top_p = 0.75}), ElementsAre(1, 2, 3));
  EXPECT_THAT(kept(scores, {.temperature = 1, .top_p = 0.95}), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(kept(scores, {.temperature = 1, .top_p = 1e-12}), ElementsAre(1));
}

TEST(ProcessScoresTest, OfTiesAtTheEdgeOfTopPTheLowestIdsGo) {
  const Scores equal(4, 1.5F);
  // The cumulative probability of two is 0.5, which is at most 1 - 0.5.
  EXPECT_THAT(kept(equal, {.temperature = 1, .top_p = 0.5}), ElementsAre(2, 3));
  EXPECT_THAT(kept(equal, {.temperature = 1, .top_p = 0.51}), ElementsAre(1, 2, 3));
  EXPECT_THAT(kept(equal, {.temperature = 1, .top_p = 1e-12}), ElementsAre(3));
}

// Against a sort of all tokens, over scores from nearly equal to far apart.
TEST(ProcessScoresTest, TopPIsThatOfASort) {
  for (const double range : {1e-3, 1.0, 20.0, 500.0}) {
    for (const double top_p : {0.1, 0.5, 0.9, 0.999}) {
      const Scores scores = random_scores(3000, range, 5);
      Scores sorted = scores;
      std::sort(sorted.begin(), sorted.end());
      double sum = 0;
      for (const float score : sorted) sum += std::exp(score - sorted.back());
      double cumulative = 0;
      size_t edge = 0;
      while (edge + 1 < sorted.size()) {
        cumulative += std::exp(sorted[edge] - sorted.back()) / sum;
        if (cumulative > 1 - top_p) break;
        ++edge;
      }
      const Scores after = processed(scores, {.temperature = 1, .top_p = top_p});
      for (size_t id = 0; id < scores.size(); ++id) {
        ASSERT_EQ(after[id] != kGone, scores[id] >= sorted[edge]) << range << " " << top_p;
      }
    }
  }
}

TEST(ProcessScoresTest, MinPIsAPartOfTheBestProbability) {
  const Scores scores = with_probabilities({0.1, 0.4, 0.3, 0.2});
  EXPECT_THAT(kept(scores, {.temperature = 1, .min_p = 0.24}), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(kept(scores, {.temperature = 1, .min_p = 0.26}), ElementsAre(1, 2, 3));
  EXPECT_THAT(kept(scores, {.temperature = 1, .min_p = 0.7}), ElementsAre(1, 2));
  EXPECT_THAT(kept(scores, {.temperature = 1, .min_p = 1}), ElementsAre(1));
  EXPECT_THAT(kept({2, 2, 1}, {.temperature = 1, .min_p = 1}), ElementsAre(0, 1));
}

// Each filter sees what the one before left: with temperature 2 the probabilities are .4, .3, .2,
// .1; top_k leaves .444, .333, .222, and top_p .75 of these are the first two.
TEST(ProcessScoresTest, FiltersWorkInTheirOrder) {
  Scores scores = with_probabilities({0.1, 0.4, 0.3, 0.2});
  for (float& score : scores) score *= 2;
  const SamplingOptions both{.temperature = 2, .top_k = 3, .top_p = 0.75};
  EXPECT_THAT(kept(scores, both), ElementsAre(1, 2));
  SamplingOptions top_p_alone = both;
  top_p_alone.top_k = 0;
  EXPECT_THAT(kept(scores, top_p_alone), ElementsAre(1, 2, 3));
  // Two tokens alone: min_p is a part of the best one, whatever its share.
  SamplingOptions all = both;
  all.min_p = 0.8;
  EXPECT_THAT(kept(scores, all), ElementsAre(1));
}

TEST(ProcessScoresTest, SuppressionComesBeforeTopK) {
  Scores scores = {3, 2, 1};
  process_scores(scores, {}, {.temperature = 1, .top_k = 1}, std::vector<int32_t>{0});
  EXPECT_THAT(scores, ElementsAre(kGone, 2, kGone));
}

TEST(ProcessScoresTest, WhatIsNoNumberIsAnError) {
  EXPECT_THAT(error_of({1, kNaN, 2}, {}), HasSubstr("token 1 is nan"));
  EXPECT_THAT(error_of({1, -kNaN, 2}, {}), HasSubstr("token 1 is nan"));
  EXPECT_THAT(error_of({1, 2, kInfinity}, {.temperature = 1, .top_p = 0.5}),
              HasSubstr("token 2 is inf"));
  // Not even where it would be hidden.
  EXPECT_THAT(error_of({1, kNaN, 2}, {}, {1}), HasSubstr("token 1 is nan"));
  EXPECT_THAT(error_of({1, 2}, {.temperature = 1e-40, .top_k = 1}), HasSubstr("token 0 is inf"));
  EXPECT_THAT(error_of({1, 2}, {.temperature = 1, .top_k = 1}, {0, 1}), HasSubstr("all 2 scores"));
}

}  // namespace
}  // namespace pdl
