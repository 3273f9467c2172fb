#include "pdl/quality/divergence.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pdl {
namespace {

NgramCounts ids(const std::vector<int32_t>& sample) { return count_ngrams(Samples{sample}, 1); }

TEST(JensenShannonTest, IsZeroForEqualAndLnTwoForDisjointDistributions) {
  EXPECT_EQ(jensen_shannon(ids({1, 2, 2}), ids({2, 1, 2, 2, 1, 2})), 0);
  EXPECT_NEAR(jensen_shannon(ids({1, 2}), ids({3, 4, 5})).value(), std::log(2), 1e-15);
}

TEST(JensenShannonTest, IsInNatsAndNoRoot) {
  // p = (1/2, 1/2), q = (1, 0), their middle (3/4, 1/4).
  const double expected =
      (0.5 * std::log(0.5 / 0.75) + 0.5 * std::log(0.5 / 0.25) + std::log(1 / 0.75)) / 2;
  EXPECT_NEAR(jensen_shannon(ids({1, 2}), ids({1})).value(), expected, 1e-15);
}

TEST(JensenShannonTest, IsSymmetricBelowLnTwoAndKnowsPairs) {
  const Samples a = {{1, 2, 3, 1}, {4, 4}};
  const Samples b = {{3, 1, 2, 2}, {5}};
  for (int n = 1; n <= 2; ++n) {
    const double there = jensen_shannon(count_ngrams(a, n), count_ngrams(b, n)).value();
    EXPECT_NEAR(jensen_shannon(count_ngrams(b, n), count_ngrams(a, n)).value(), there, 1e-15);
    EXPECT_GT(there, 0.01);
    EXPECT_LT(there, std::log(2) - 0.01);
  }
}

TEST(JensenShannonTest, OfNothingIsNone) {
  EXPECT_FALSE(jensen_shannon(ids({}), ids({1})).has_value());
  EXPECT_FALSE(jensen_shannon(ids({1}), ids({})).has_value());
}

TEST(SmoothedKlTest, CountsEveryIdOnceMore) {
  // Of three ids: reference (3, 1, 1) / 5, text (1, 2, 1) / 4.
  const double expected =
      0.6 * std::log(0.6 / 0.25) + 0.2 * std::log(0.2 / 0.5) + 0.2 * std::log(0.2 / 0.25);
  EXPECT_NEAR(smoothed_kl(ids({0, 0}), ids({1}), 3).value(), expected, 1e-15);
  EXPECT_NE(smoothed_kl(ids({0, 0}), ids({1}), 3), smoothed_kl(ids({1}), ids({0, 0}), 3));
  EXPECT_NE(smoothed_kl(ids({0, 0}), ids({1}), 3), smoothed_kl(ids({0, 0}), ids({1}), 4));
}

TEST(SmoothedKlTest, OfATextToItselfIsZeroAndOfNothingNone) {
  EXPECT_EQ(smoothed_kl(ids({0, 2, 2}), ids({2, 0, 2}), 5), 0);
  EXPECT_FALSE(smoothed_kl(ids({}), ids({1}), 5).has_value());
  EXPECT_FALSE(smoothed_kl(ids({1}), ids({}), 5).has_value());
}

}  // namespace
}  // namespace pdl
