#include "pdl/base/text_format.h"

#include <gtest/gtest.h>

#include <limits>

namespace pdl {
namespace {

TEST(TextFormatTest, DigitsAfterThePointAreFixedAndRounded) {
  EXPECT_EQ(fixed(3.14159, 2), "3.14");
  EXPECT_EQ(fixed(-0.5, 0), "-0");
  EXPECT_EQ(fixed(1e21, 1), "1000000000000000000000.0");
}

TEST(TextFormatTest, SignificantDigitsHoldForAnySize) {
  EXPECT_EQ(significant(1234.5, 3), "1.23e+03");
  EXPECT_EQ(significant(0.00012345, 2), "0.00012");
}

TEST(TextFormatTest, ThousandsAreGrouped) {
  EXPECT_EQ(grouped(int64_t{0}), "0");
  EXPECT_EQ(grouped(int64_t{999}), "999");
  EXPECT_EQ(grouped(int64_t{-1000}), "-1,000");
  EXPECT_EQ(grouped(int64_t{1234567}), "1,234,567");
  EXPECT_EQ(grouped(1234.6), "1,235");
  EXPECT_EQ(grouped(1e300), "1e+300");
}

TEST(TextFormatTest, DurationsHaveTheUnitsThatMatter) {
  EXPECT_EQ(duration(59.4), "59 s");
  EXPECT_EQ(duration(59.6), "1 min 0 s");
  EXPECT_EQ(duration(3 * 3600 + 7 * 60 + 40), "3 h 7 min");
  EXPECT_EQ(duration(-1), "?");
  EXPECT_EQ(duration(std::numeric_limits<double>::quiet_NaN()), "?");
  EXPECT_EQ(duration(std::numeric_limits<double>::infinity()), "?");
}

TEST(TextFormatTest, SharesArePercent) {
  EXPECT_EQ(percent(0.1234), "12.3 %");
  EXPECT_EQ(percent(1), "100.0 %");
}

}  // namespace
}  // namespace pdl
