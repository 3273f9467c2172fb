#include "pdl/frequency/bands.h"

#include <gtest/gtest.h>

namespace pdl {
namespace {

TEST(BandOfCountTest, BothEndsOfEachBandBelongToIt) {
  for (size_t i = 0; i < kFrequencyBands.size(); ++i) {
    EXPECT_EQ(band_of_count(kFrequencyBands[i].min_count), static_cast<int>(i));
    EXPECT_EQ(band_of_count(kFrequencyBands[i].max_count), static_cast<int>(i));
  }
}

TEST(BandOfCountTest, BandsLeaveNoGap) {
  EXPECT_EQ(kFrequencyBands.front().min_count, 0);
  EXPECT_EQ(kFrequencyBands.back().max_count, INT64_MAX);
  for (size_t i = 1; i < kFrequencyBands.size(); ++i) {
    EXPECT_EQ(kFrequencyBands[i].min_count, kFrequencyBands[i - 1].max_count + 1);
  }
}

TEST(BandOfCountTest, RareIsBelow500) {
  EXPECT_EQ(kRareBelow, 500);
  for (const FrequencyBand& band : kFrequencyBands) {
    EXPECT_EQ(is_rare(band), band.min_count < kRareBelow) << band.name;
    EXPECT_EQ(is_rare(band), band.max_count < kRareBelow) << band.name;
  }
}

}  // namespace
}  // namespace pdl
