#include "pdl/weights/weight_formula.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "pdl/base/error.h"

namespace pdl {
namespace {

using ::testing::Each;

const std::vector<int64_t> kCounts = {0, 1, 10, 1000, 0, 89};  // 1100 in all

std::vector<double> weights(const WeightOptions& options, double alpha,
                            std::vector<int32_t> special = {}) {
  return power_law_weights(kCounts, options, special, alpha);
}

TEST(WeightFormulaTest, IsTheFormula) {
  const WeightOptions options{.pdl_epsilon = 0.5};
  const std::vector<double> w = weights(options, 0.7);
  for (size_t token = 0; token < kCounts.size(); ++token) {
    EXPECT_NEAR(w[token], 1 / std::pow(static_cast<double>(kCounts[token]) + 0.5, 0.7), 1e-15);
  }
}

TEST(WeightFormulaTest, AlphaZeroIsExactlyOneWhateverTheOptions) {
  WeightOptions options{.pdl_epsilon = 1e-7, .pdl_max_ratio = 3};
  options.pdl_special_tokens = SpecialTokenPolicy::kNeutral;
  options.pdl_frequency = FrequencyUnit::kRelative;
  EXPECT_THAT(weights(options, 0.0, {0, 2}), Each(1.0));
}

TEST(WeightFormulaTest, UnitsAgreeWhenEpsilonIsScaled) {
  WeightOptions relative{.pdl_epsilon = 1.0 / 1100};
  relative.pdl_frequency = FrequencyUnit::kRelative;
  const std::vector<double> a = weights({}, 0.5);
  const std::vector<double> b = weights(relative, 0.5);
  for (size_t token = 0; token < a.size(); ++token)
    EXPECT_NEAR(b[token] / a[token], std::sqrt(1100), 1e-12 * 1100);
}

TEST(WeightFormulaTest, CountOneTreatsUnseenAsSeenOnce) {
  WeightOptions options;
  options.pdl_unseen = UnseenPolicy::kCountOne;
  const std::vector<double> w = weights(options, 1.0);
  EXPECT_EQ(w[0], w[1]);
  EXPECT_EQ(w[4], 0.5);
}

TEST(WeightFormulaTest, TheCapBoundsUnseenTokensToo) {
  const WeightOptions options{.pdl_epsilon = 1e-7, .pdl_max_ratio = 20};
  const std::vector<double> w = weights(options, 1.0);
  const double smallest = 1 / (1000 + 1e-7);
  EXPECT_DOUBLE_EQ(w[0], 20 * smallest);
  EXPECT_DOUBLE_EQ(w[1], 20 * smallest);
  EXPECT_DOUBLE_EQ(w[5], 1 / (89 + 1e-7));  // below the cap, as it was
}

TEST(WeightFormulaTest, NeutralKeepsTheMeanOfTheOthers) {
  WeightOptions options;
  options.pdl_special_tokens = SpecialTokenPolicy::kNeutral;
  const std::vector<double> plain = weights({}, 0.5);
  const std::vector<double> w = weights(options, 0.5, {2, 4});
  double weight_sum = 0;
  double count_sum = 0;
  for (const size_t token : {0, 1, 3, 5}) {
    EXPECT_EQ(w[token], plain[token]);
    weight_sum += static_cast<double>(kCounts[token]) * plain[token];
    count_sum += static_cast<double>(kCounts[token]);
  }
  EXPECT_DOUBLE_EQ(w[2], weight_sum / count_sum);
  EXPECT_EQ(w[4], w[2]);
}

TEST(WeightFormulaTest, WhatFloat32CannotHoldIsADataError) {
  EXPECT_THROW(weights({.pdl_epsilon = 1e-300}, 1.0), DataError);
  EXPECT_THROW(weights({}, 30.0), DataError);  // underflow for the frequent tokens
  EXPECT_THROW(power_law_weights(std::vector<int64_t>(3), {}, {}, 1.0),
               DataError);  // nothing counted
}

TEST(WeightFormulaTest, AlphaRisesLinearlyFromZero) {
  EXPECT_EQ(warmed_up_alpha(0.5, 0, 4), 0.0);
  EXPECT_EQ(warmed_up_alpha(0.5, 1, 4), 0.125);
  EXPECT_EQ(warmed_up_alpha(0.5, 4, 4), 0.5);
  EXPECT_EQ(warmed_up_alpha(0.5, 0, 0), 0.5);
}

}  // namespace
}  // namespace pdl
