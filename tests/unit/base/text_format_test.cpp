#include "pdl/base/text_format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

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

// As repr() of Python 3.11 has them, without ".0".
TEST(TextFormatTest, ShortestDecimalsAreThoseOfPython) {
  const std::vector<std::pair<double, std::string>> cases = {
      {0, "0"},        {-0.0, "0"},         {1, "1"},
      {0.25, "0.25"},  {0.1, "0.1"},        {1e-4, "0.0001"},
      {1e-3, "0.001"}, {1.5e-4, "0.00015"}, {2e-5, "2e-05"},
      {5e-5, "5e-05"}, {123456, "123456"},  {1e15, "1000000000000000"},
      {1e16, "1e+16"}, {1e100, "1e+100"},   {0.30000000000000004, "0.30000000000000004"}};
  for (const auto& [number, text] : cases) EXPECT_EQ(shortest_decimal(number), text);
}

TEST(TextFormatTest, ShortestDecimalsReadBackAsTheSameNumber) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> exponents(-300, 300);
  for (int i = 0; i < 20000; ++i) {
    const double number = std::pow(10.0, exponents(random));
    EXPECT_EQ(std::strtod(shortest_decimal(number).c_str(), nullptr), number);
  }
  const double most = std::numeric_limits<double>::max();
  EXPECT_EQ(std::strtod(shortest_decimal(most).c_str(), nullptr), most);
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
