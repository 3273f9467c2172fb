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

using Scores = std::vector<float>;

constexpr float kGone = -std::numeric_limits<float>::infinity();
const SamplingOptions kGreedy;
const SamplingOptions kRandom{.temperature = 1};
const std::vector<int32_t> kPrompt = {1, 2, 3};

// What choose_token() must equal.
int32_t plain_choice(const Scores& scores, const SampleNoise& noise, uint64_t position) {
  const uint64_t key = noise.key(position);
  int32_t best = -1;
  double best_sum = kGone;
  for (size_t i = 0; i < scores.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    const double sum = scores[i] + SampleNoise::of_token(key, id);
    if (sum > best_sum) {
      best_sum = sum;
      best = id;
    }
  }
  return best;
}

// Expects the same choice as the plain loop at many positions.
void expect_plain_choices(const Scores& scores, const std::string& what) {
  const SampleNoise noise(11, kPrompt, 0);
  for (uint64_t position = 0; position < 300; ++position) {
    ASSERT_EQ(choose_token(scores, kRandom, noise, position), plain_choice(scores, noise, position))
        << what << ", " << scores.size() << " tokens, position " << position;
  }
}

Scores made(size_t count, const std::function<double(size_t)>& score) {
  Scores scores(count);
  for (size_t id = 0; id < count; ++id) scores[id] = static_cast<float>(score(id));
  return scores;
}

// Worked out by a Python program of the formula in the header, with integers of any size.
TEST(SampleNoiseTest, IsTheFormula) {
  const uint64_t first = SampleNoise(42, kPrompt, 0).key(3);
  EXPECT_EQ(first, 0xe2d9cd120c733579ULL);
  EXPECT_NEAR(SampleNoise::of_token(first, 0), -0.3122691531914756, 1e-15);
  EXPECT_NEAR(SampleNoise::of_token(first, 1), -0.7130994434391973, 1e-15);
  EXPECT_NEAR(SampleNoise::of_token(first, 49151), 0.3435440473838882, 1e-15);
  EXPECT_EQ(SampleNoise(42, kPrompt, 1).key(7), 0x26ad817e645803bbULL);
  const uint64_t large = SampleNoise(UINT64_MAX, std::vector<int32_t>{49151}, 1ULL << 32).key(1);
  EXPECT_EQ(large, 0xb75643f932305450ULL);
  EXPECT_NEAR(SampleNoise::of_token(large, 1), 3.1518690375881837, 1e-14);
}

TEST(SampleNoiseTest, DiffersBySeedPromptSampleAndPosition) {
  const std::vector<std::vector<int32_t>> prompts = {{1}, {2}, {1, 2}, {2, 1}, {1, 2, 0}};
  std::vector<uint64_t> keys;
  for (const uint64_t seed : {0ULL, 1ULL, 1ULL << 63}) {
    for (const auto& prompt : prompts) {
      for (uint64_t sample = 0; sample < 20; ++sample) {
        for (uint64_t position = 0; position < 20; ++position) {
          keys.push_back(SampleNoise(seed, prompt, sample).key(position));
        }
      }
    }
  }
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end());
}

// Mean and variance of Gumbel's distribution: Euler's constant and pi^2 / 6.
TEST(SampleNoiseTest, IsGumbelDistributed) {
  constexpr int kCount = 1000000;
  const uint64_t key = SampleNoise(3, kPrompt, 0).key(3);
  double sum = 0;
  double squares = 0;
  for (int32_t id = 0; id < kCount; ++id) {
    const double noise = SampleNoise::of_token(key, id);
    ASSERT_TRUE(std::isfinite(noise));
    sum += noise;
    squares += noise * noise;
  }
  const double mean = sum / kCount;
  EXPECT_NEAR(mean, 0.5772156649, 5 * 1.2825 / 1000);
  EXPECT_NEAR(squares / kCount - mean * mean, 1.644934, 0.02);
}

TEST(ChooseTokenTest, GreedyIsTheFirstOfTheHighest) {
  const SampleNoise noise(1, kPrompt, 0);
  EXPECT_EQ(choose_token(Scores{1, 3, 3, 2}, kGreedy, noise, 0), 1);
  EXPECT_EQ(choose_token(Scores{kGone, kGone, -5}, kGreedy, noise, 0), 2);
  EXPECT_EQ(choose_token(Scores{-0.0F, 0.0F}, kGreedy, noise, 0), 0);
  Scores many(1000, -1);
  many[777] = 2;
  many[999] = 2;
  EXPECT_EQ(choose_token(many, kGreedy, noise, 0), 777);
}

TEST(ChooseTokenTest, EqualsThePlainLoop) {
  Random random(2);
  for (const size_t count : {1U, 2U, 63U, 64U, 65U, 1000U}) {
    for (const double range : {0.0, 1e-3, 1.0, 10.0, 40.0, 100.0, 1e4, 1e12, 1e30}) {
      const auto uniform = [&](size_t) { return (random.uniform() - 0.5) * range; };
      expect_plain_choices(made(count, uniform), "range " + std::to_string(range));
      const auto with_offset = [&](size_t id) { return 1e5 + uniform(id); };
      expect_plain_choices(made(count, with_offset), "offset, range " + std::to_string(range));
      const auto half_gone = [&](size_t id) { return id % 2 == 0 ? uniform(id) : kGone; };
      expect_plain_choices(made(count, half_gone), "half gone, range " + std::to_string(range));
    }
  }
}

TEST(ChooseTokenTest, EqualsThePlainLoopOnScoresOfModels) {
  Random random(4);
  const auto zipf = [&](size_t id) {
    return -2 * std::log(static_cast<double>(id * 7 % 5000 + 1)) + random.uniform();
  };
  expect_plain_choices(made(5000, zipf), "Zipf");
  const auto ties = [&](size_t) { return static_cast<double>(random.below(5)); };
  expect_plain_choices(made(5000, ties), "ties");
  const auto peak = [](size_t id) { return id == 3333 ? 12.0 : 0.0; };
  expect_plain_choices(made(5000, peak), "one above many");
}

// The tokens of one sample, whichever others are drawn in between.
TEST(ChooseTokenTest, ASampleDoesNotDependOnOthers) {
  const Scores scores(50, 0.0F);
  const SampleNoise first(9, kPrompt, 0);
  std::vector<int32_t> alone;
  for (uint64_t position = 3; position < 40; ++position) {
    alone.push_back(choose_token(scores, kRandom, first, position));
  }
  std::vector<int32_t> among_others;
  std::vector<int32_t> others;
  for (uint64_t position = 3; position < 40; ++position) {
    others.push_back(choose_token(scores, kRandom, SampleNoise(9, kPrompt, 1), position));
    among_others.push_back(choose_token(scores, kRandom, SampleNoise(9, kPrompt, 0), position));
  }
  EXPECT_EQ(among_others, alone);
  EXPECT_NE(others, alone);
}

// Scores so large that all noise is lost in rounding: the sums are equal.
TEST(ChooseTokenTest, OfEqualSumsTheLowestIdWins) {
  const SampleNoise noise(1, kPrompt, 0);
  for (const double score : {1e30, -1e30, 1e25}) {
    Scores scores = made(200, [&](size_t) { return score; });
    EXPECT_EQ(choose_token(scores, kRandom, noise, 5), 0);
    scores[0] = kGone;
    EXPECT_EQ(choose_token(scores, kRandom, noise, 5), 1);
  }
}

// Scores that differ by just what the noises differ by, the higher one after the lower one.
TEST(ChooseTokenTest, OfEqualSumsOfDifferentScoresTheLowestIdWins) {
  const SampleNoise noise(11, kPrompt, 0);
  int ties = 0;
  for (uint64_t position = 0; position < 300; ++position) {
    const double first = SampleNoise::of_token(noise.key(position), 0);
    const double second = SampleNoise::of_token(noise.key(position), 1);
    const auto higher = static_cast<float>(first - second);
    const auto lower = static_cast<float>(higher - (first - second));
    if (lower >= higher || lower + first != higher + second) continue;
    ++ties;
    EXPECT_EQ(choose_token(Scores{lower, higher}, kRandom, noise, position), 0);
  }
  EXPECT_GT(ties, 10);
}

TEST(ChooseTokenTest, TheOnlyTokenLeftIsChosen) {
  Scores scores(500, kGone);
  scores[321] = -1e30F;
  const SampleNoise noise(1, kPrompt, 0);
  for (uint64_t position = 0; position < 100; ++position) {
    EXPECT_EQ(choose_token(scores, kRandom, noise, position), 321);
  }
}

// 100,000 draws against the softmax: with 9 degrees of freedom chi-square is above 33.7 once in
// 10,000 times.
TEST(ChooseTokenTest, DrawsFromTheSoftmax) {
  const Scores scores = {0, 1, -1, 2, 0.5F, kGone, -2, 1.5F, 0, 0, 1};
  double sum = 0;
  for (const float score : scores) sum += std::exp(score);
  constexpr int kDraws = 100000;
  for (const uint64_t seed : {1, 2, 3}) {
    std::vector<int> drawn(scores.size());
    for (int draw = 0; draw < kDraws; ++draw) {
      const SampleNoise noise(seed, kPrompt, static_cast<uint64_t>(draw % 10));
      ++drawn[static_cast<size_t>(
          choose_token(scores, kRandom, noise, static_cast<uint64_t>(draw / 10)))];
    }
    double chi_square = 0;
    for (size_t id = 0; id < scores.size(); ++id) {
      const double expected = kDraws * std::exp(scores[id]) / sum;
      if (expected == 0) {
        EXPECT_EQ(drawn[id], 0);
      } else {
        chi_square += (drawn[id] - expected) * (drawn[id] - expected) / expected;
      }
    }
    EXPECT_LT(chi_square, 33.7) << "seed " << seed;
  }
}

TEST(ChooseTokenTest, WhatIsNoNumberIsAnError) {
  const SampleNoise noise(1, kPrompt, 0);
  for (const SamplingOptions& options : {kGreedy, kRandom}) {
    for (const float bad : {NAN, -NAN, INFINITY}) {
      for (const size_t place : {0U, 63U, 64U, 99U}) {
        Scores scores(100, 1.0F);
        scores[place] = bad;
        EXPECT_THROW(choose_token(scores, options, noise, 0), NumericError);
      }
    }
    EXPECT_THROW(choose_token(Scores(100, kGone), options, noise, 0), NumericError);
    EXPECT_THROW(choose_token(Scores(), options, noise, 0), NumericError);
  }
}

}  // namespace
}  // namespace pdl
