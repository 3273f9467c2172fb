#include "pdl/trainer/spike_detector.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace pdl {
namespace {

// Alternates 1 and 3: mean 2, standard deviation 1.
std::vector<double> steady_history() {
  std::vector<double> history;
  for (int64_t i = 0; i < kSpikeWindow; ++i) add_to_history(history, i % 2 == 0 ? 1.0 : 3.0);
  return history;
}

TEST(SpikeDetectorTest, IsTheDistanceFromTheMeanInStandardDeviations) {
  EXPECT_DOUBLE_EQ(spike_z_score(steady_history(), 7.0), 5.0);
  EXPECT_DOUBLE_EQ(spike_z_score(steady_history(), 1.0), -1.0);
}

TEST(SpikeDetectorTest, SaysNothingBeforeTheWindowIsFull) {
  std::vector<double> history = steady_history();
  history.pop_back();
  EXPECT_EQ(spike_z_score(history, 1000.0), 0);
  EXPECT_EQ(spike_z_score({}, 1000.0), 0);
}

TEST(SpikeDetectorTest, NumbersThatSayNothingAreNoSpike) {
  EXPECT_EQ(spike_z_score(std::vector<double>(kSpikeWindow, 2.0), 3.0), 0);
  std::vector<double> history = steady_history();
  for (const double ce : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(spike_z_score(history, ce), 0);
    add_to_history(history, ce);
  }
  EXPECT_EQ(history, steady_history());
}

TEST(SpikeDetectorTest, ALossThatHasChangedForGoodIsNoSpikeForLong) {
  std::vector<double> history = steady_history();
  int64_t spikes = 0;
  for (int64_t i = 0; i < 2 * kSpikeWindow; ++i) {
    const double ce = i % 2 == 0 ? 11.0 : 13.0;
    if (spike_z_score(history, ce) > 3) ++spikes;
    add_to_history(history, ce);
  }
  EXPECT_GT(spikes, 0);
  EXPECT_LT(spikes, kSpikeWindow / 4);
  EXPECT_EQ(std::ssize(history), kSpikeWindow);
}

}  // namespace
}  // namespace pdl
