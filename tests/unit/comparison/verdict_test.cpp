#include "comparison/verdict.h"

#include <gtest/gtest.h>

#include "pdl/base/random.h"

namespace pdl {
namespace {

constexpr double kDelta = 0.01;

// Moments whose interval is [low, high].
SampleMoments with_interval(double low, double high, int64_t size) {
  const double unit = interval_of({.size = size, .mean = 0, .sd = 1})->high;
  return {.size = size, .mean = (low + high) / 2, .sd = (high - low) / 2 / unit};
}

Verdict verdict(double low, double high, int64_t size = 5) {
  return verdict_of(with_interval(low, high, size), std::nullopt, kDelta);
}

Verdict verdict(const SampleMoments& g, double low_of_r, double high_of_r) {
  return verdict_of(g, with_interval(low_of_r, high_of_r, g.size), kDelta);
}

TEST(VerdictTest, GAloneDecides) {
  EXPECT_EQ(verdict(-0.2, -0.001), Verdict::kHelps);
  EXPECT_EQ(verdict(-0.2, 0.001), Verdict::kNotShown);
  EXPECT_EQ(verdict(0.011, 0.2), Verdict::kHurts);
  EXPECT_EQ(verdict(0.009, 0.2), Verdict::kNotShown);
  EXPECT_EQ(verdict(-0.0099, 0.0099), Verdict::kNoDifference);
  EXPECT_EQ(verdict(0.001, 0.0099), Verdict::kNoDifference);
  EXPECT_EQ(verdict(-0.0101, 0.0099), Verdict::kNotShown);
  EXPECT_EQ(verdict(-0.0099, 0.0101), Verdict::kNotShown);
}

TEST(VerdictTest, RHelpsWhereGIsNotWorse) {
  EXPECT_EQ(verdict(with_interval(-0.2, 0.009, 5), 0.001, 1), Verdict::kHelps);
  EXPECT_EQ(verdict(with_interval(-0.2, 0.009, 5), -0.001, 1), Verdict::kNotShown);
  EXPECT_EQ(verdict(with_interval(-0.2, 0.011, 5), 0.001, 1), Verdict::kNotShown);
  EXPECT_EQ(verdict(with_interval(-0.2, -0.001, 5), -2, -1), Verdict::kHelps);
  EXPECT_EQ(verdict(with_interval(0.02, 0.03, 5), 1, 2), Verdict::kHurts);
  EXPECT_EQ(verdict(with_interval(-0.001, 0.001, 5), 1, 2), Verdict::kHelps);  // before the others
}

TEST(VerdictTest, FewerThanFiveSeedsNeverHelp) {
  for (int64_t size = 2; size <= 4; ++size) {
    EXPECT_EQ(verdict(-0.2, -0.1, size), Verdict::kNotShown);
    EXPECT_EQ(verdict(with_interval(-0.2, -0.1, size), 1, 2), Verdict::kNotShown);
    EXPECT_EQ(verdict(-0.002, -0.001, size), Verdict::kNoDifference);
    EXPECT_EQ(verdict(0.1, 0.2, size), Verdict::kHurts);
  }
  EXPECT_EQ(verdict_of({.size = 1, .mean = -1, .sd = 0}, std::nullopt, kDelta), Verdict::kNotShown);
}

TEST(VerdictTest, TheSeedsNeededAreTheFewestThatDecide) {
  Random random(1);
  int64_t known = 0;
  for (int i = 0; i < 500; ++i) {
    const auto size = static_cast<int64_t>(2 + random.below(8));
    const SampleMoments g{
        .size = size, .mean = 0.1 * (random.uniform() - 0.5), .sd = 0.1 * random.uniform()};
    std::optional<SampleMoments> r;
    if (i % 2 == 0) r = {.size = size, .mean = random.uniform() - 0.5, .sd = random.uniform()};
    if (verdict_of(g, r, kDelta) != Verdict::kNotShown) continue;
    const std::optional<int64_t> needed = seeds_needed(g, r, kDelta);
    if (!needed) continue;
    ++known;
    EXPECT_GE(*needed, 5);
    EXPECT_GT(*needed, size);
    const auto verdict_at = [&](int64_t seeds) {
      SampleMoments more_g = g;
      more_g.size = seeds;
      std::optional<SampleMoments> more_r = r;
      if (more_r) more_r->size = seeds;
      return verdict_of(more_g, more_r, kDelta);
    };
    EXPECT_NE(verdict_at(*needed), Verdict::kNotShown);
    if (*needed > 5) {
      EXPECT_EQ(verdict_at(*needed - 1), Verdict::kNotShown);
    }
  }
  EXPECT_GT(known, 100);
}

TEST(VerdictTest, NobodyKnowsTheSeedsNeededByOneSeedOrWithoutEnd) {
  EXPECT_EQ(seeds_needed({.size = 1, .mean = -1, .sd = 0}, std::nullopt, kDelta), std::nullopt);
  EXPECT_EQ(seeds_needed({.size = 9, .mean = kDelta, .sd = 1}, std::nullopt, kDelta), std::nullopt);
}

TEST(VerdictTest, HasTheNamesOfTheReport) {
  EXPECT_EQ(name_of(Verdict::kHelps), "helps");
  EXPECT_EQ(name_of(Verdict::kHurts), "hurts");
  EXPECT_EQ(name_of(Verdict::kNoDifference), "no difference");
  EXPECT_EQ(name_of(Verdict::kNotShown), "not shown");
}

}  // namespace
}  // namespace pdl
