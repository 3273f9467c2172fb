#include "pdl/base/random.h"

#include <gtest/gtest.h>

#include <array>

namespace pdl {
namespace {

// The first outputs of SplitMix64 from seed 0, as its authors' reference program prints them.
TEST(RandomTest, GivesThePublishedSequence) {
  Random random(0);
  EXPECT_EQ(random.next(), 0xe220a8397b1dcdafULL);
  EXPECT_EQ(random.next(), 0x6e789e6aa1b965f4ULL);
  EXPECT_EQ(random.next(), 0x06c45d188009454fULL);
}

TEST(RandomTest, BelowStaysInRangeAndIsUniform) {
  Random random(7);
  std::array<int, 10> histogram{};
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) ++histogram[random.below(10)];
  for (const int count : histogram) EXPECT_NEAR(count, kDraws / 10, 500);  // 5 standard deviations
  EXPECT_EQ(random.below(1), 0U);
}

TEST(RandomTest, UniformIsInTheHalfOpenUnitInterval) {
  Random random(3);
  double sum = 0;
  for (int i = 0; i < 10000; ++i) {
    const double value = random.uniform();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.015);
}

TEST(RandomTest, StreamsOfOneSeedDiffer) {
  EXPECT_NE(Random(1, 2).next(), Random(2, 1).next());
  EXPECT_NE(Random(1, 0).next(), Random(1, 1).next());
  EXPECT_EQ(Random(1, 1).next(), Random(1, 1).next());
}

}  // namespace
}  // namespace pdl
