#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "pdl/base/error.h"
#include "pdl/generation/sampling/sampling.h"

namespace pdl {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(LogProbabilityTest, IsTheLogarithmOfTheSoftmax) {
  const std::vector<float> logits = {0, 0, 0, 0};
  EXPECT_DOUBLE_EQ(log_probability(logits, 2), -std::log(4));
  // exp(0) : exp(1) : exp(3)
  const std::vector<float> three = {0, 1, 3};
  const double sum = 1 + std::exp(1) + std::exp(3);
  EXPECT_DOUBLE_EQ(log_probability(three, 0), -std::log(sum));
  EXPECT_DOUBLE_EQ(log_probability(three, 2), 3 - std::log(sum));
}

TEST(LogProbabilityTest, HoldsForLargeLogits) {
  const std::vector<float> logits = {3e38F, -3e38F, 3e38F};
  EXPECT_DOUBLE_EQ(log_probability(logits, 0), -std::log(2));
  EXPECT_DOUBLE_EQ(log_probability(std::vector<float>{-kInfinity, 5}, 1), 0);
  EXPECT_EQ(log_probability(std::vector<float>{-kInfinity, 5}, 0), -kInfinity);
}

TEST(LogProbabilityTest, WhatIsNoNumberIsAnError) {
  EXPECT_THROW(log_probability(std::vector<float>{1, NAN}, 0), NumericError);
  EXPECT_THROW(log_probability(std::vector<float>{1, kInfinity}, 0), NumericError);
  EXPECT_THROW(log_probability(std::vector<float>{-kInfinity}, 0), NumericError);
}

TEST(LogitBiasTest, MultipliesOddsByThePowerOfTheCount) {
  const std::vector<int64_t> counts = {0, 1, 99};
  std::vector<float> logits = {1, 1, 1, 1};  // a token more than were counted
  add_bias(logits, logit_bias(counts, 0.5));
  EXPECT_EQ(logits[0], 1);
  EXPECT_NEAR(std::exp(logits[1] - 1), std::sqrt(2), 1e-6);
  EXPECT_NEAR(std::exp(logits[2] - 1), 10, 1e-5);
  EXPECT_EQ(logits[3], 1);
}

TEST(LogitBiasTest, TauZeroIsNoBias) {
  EXPECT_EQ(logit_bias(std::vector<int64_t>{0, 7}, 0), (std::vector<float>{0, 0}));
}

}  // namespace
}  // namespace pdl
