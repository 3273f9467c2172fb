#include "comparison/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "pdl/base/random.h"

namespace pdl {
namespace {

// The roots of 1 - betainc(n/2, 1/2, 0, n/(n + t²), regularized=True) = 0.95 by mpmath 1.3.0 with
// 30 digits; scipy.stats.t.ppf(0.975, n) of scipy 1.17.1 agrees with each to 1e-15.
TEST(StatisticsTest, QuantilesAreThoseOfMpmathAndScipy) {
  const std::vector<std::pair<int64_t, double>> known = {
      {1, 12.706204736174704646},   {2, 4.3026527297494638523},   {3, 3.1824463052837095927},
      {4, 2.7764451051977943578},   {5, 2.5705818356363155147},   {6, 2.4469118511449699711},
      {9, 2.2621571627982055426},   {10, 2.2281388519862747484},  {29, 2.0452296421327042982},
      {30, 2.04227245630123831},    {99, 1.9842169515864174951},  {100, 1.9839715185235522866},
      {999, 1.9623414611334499787}, {9999, 1.9602012636213576804}};
  for (const auto& [degrees, quantile] : known) {
    const double rounding = degrees <= 100 ? 1e-14 : 1e-12;  // of as many terms
    EXPECT_NEAR(student_t_quantile(0.975, degrees) / quantile, 1, rounding) << degrees;
  }
  // scipy.stats.t.ppf(0.95, n)
  EXPECT_NEAR(student_t_quantile(0.95, 1), 6.313751514675037, 1e-12);
  EXPECT_NEAR(student_t_quantile(0.95, 4), 2.1318467863266495, 1e-13);
}

TEST(StatisticsTest, MomentsOfASample) {
  const SampleMoments moments = moments_of({1, 2, 4});
  EXPECT_EQ(moments.size, 3);
  EXPECT_NEAR(moments.mean, 7.0 / 3, 1e-15);
  EXPECT_NEAR(moments.sd, std::sqrt(7.0 / 3), 1e-15);
  EXPECT_EQ(moments_of({5}).sd, 0);
  EXPECT_EQ(moments_of({0, 0, 0}).mean, 0);
}

TEST(StatisticsTest, IntervalOfASample) {
  EXPECT_FALSE(interval_of(moments_of({5})).has_value());
  const std::optional<Interval> interval = interval_of(moments_of({1, 2, 4}));
  const double half_width = 4.3026527297494638523 * std::sqrt(7.0 / 3) / std::sqrt(3);
  EXPECT_NEAR(interval->low, 7.0 / 3 - half_width, 1e-13);
  EXPECT_NEAR(interval->high, 7.0 / 3 + half_width, 1e-13);
}

// Of a mean of n independent values the deviation is known: that of the values / √n.
TEST(StatisticsTest, BootstrapFindsTheDeviationOfAMean) {
  Random random(3);
  std::vector<double> values(400);
  for (double& value : values) value = random.uniform();
  const SampleMoments moments = moments_of(values);
  const double expected = moments.sd / std::sqrt(400);
  const double found = bootstrap_sd(values, std::vector<int64_t>(400, 1));
  EXPECT_NEAR(found / expected, 1, 0.07);  // three deviations of what 1,000 samples give
  EXPECT_EQ(found, bootstrap_sd(values, std::vector<int64_t>(400, 1)));
}

// The same for a ratio: that of numerator - ratio·denominator, / (√n · mean denominator).
TEST(StatisticsTest, BootstrapFindsTheDeviationOfARatio) {
  Random random(4);
  std::vector<double> numerators(400);
  std::vector<int64_t> denominators(400);
  double sum = 0;
  int64_t tokens = 0;
  for (size_t i = 0; i < 400; ++i) {
    denominators[i] = 10 + static_cast<int64_t>(random.below(90));
    numerators[i] = static_cast<double>(denominators[i]) * random.uniform();
    sum += numerators[i];
    tokens += denominators[i];
  }
  const double ratio = sum / static_cast<double>(tokens);
  std::vector<double> residuals;
  for (size_t i = 0; i < 400; ++i) {
    residuals.push_back(numerators[i] - ratio * static_cast<double>(denominators[i]));
  }
  const double expected = moments_of(residuals).sd * std::sqrt(400) / static_cast<double>(tokens);
  EXPECT_NEAR(bootstrap_sd(numerators, denominators) / expected, 1, 0.07);
}

TEST(StatisticsTest, BootstrapLeavesOutDrawsWithoutTargets) {
  EXPECT_EQ(bootstrap_sd({0, 0}, {0, 0}), 0);
  EXPECT_EQ(bootstrap_sd({0, 3}, {0, 1}), 0);  // 3 whenever it is anything
  EXPECT_EQ(bootstrap_sd({2}, {1}), 0);
}

}  // namespace
}  // namespace pdl
