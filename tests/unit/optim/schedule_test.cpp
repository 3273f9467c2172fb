#include "pdl/optim/schedule.h"

#include <gtest/gtest.h>

namespace pdl {
namespace {

ScheduleOptions schedule(ScheduleType type, double warmup, double min_ratio = 0) {
  return {.lr_scheduler_type = type,
          .learning_rate = 2.0,
          .warmup_steps = warmup,
          .min_lr_ratio = min_ratio};
}

// The values are those of transformers.get_scheduler with 10 steps, 4 of them warm-up, and rate 2.
TEST(ScheduleTest, WarmsUpFromZero) {
  for (const ScheduleType type : {ScheduleType::kConstant, ScheduleType::kLinear,
                                  ScheduleType::kCosine, ScheduleType::kWarmupStableDecay}) {
    EXPECT_EQ(learning_rate_at(schedule(type, 4), 0, 10), 0.0);
    EXPECT_EQ(learning_rate_at(schedule(type, 4), 1, 10), 0.5);
    EXPECT_EQ(learning_rate_at(schedule(type, 4), 4, 10), 2.0);
  }
}

TEST(ScheduleTest, Linear) {
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule(ScheduleType::kLinear, 4), 7, 10), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule(ScheduleType::kLinear, 4, 0.5), 7, 10), 1.5);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule(ScheduleType::kLinear, 0), 9, 10), 0.2);
}

TEST(ScheduleTest, Cosine) {
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule(ScheduleType::kCosine, 4), 7, 10), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule(ScheduleType::kCosine, 4), 6, 10), 1.5);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule(ScheduleType::kCosine, 4, 0.1), 10, 10), 0.2);
}

TEST(ScheduleTest, Constant) {
  EXPECT_EQ(learning_rate_at(schedule(ScheduleType::kConstant, 4), 9, 10), 2.0);
}

TEST(ScheduleTest, WarmupStableDecayFallsInTheLastTenth) {
  const ScheduleOptions options = schedule(ScheduleType::kWarmupStableDecay, 2);
  EXPECT_EQ(learning_rate_at(options, 35, 40), 2.0);
  EXPECT_EQ(learning_rate_at(options, 36, 40), 2.0);
  EXPECT_EQ(learning_rate_at(options, 37, 40), 1.5);
  EXPECT_EQ(learning_rate_at(options, 39, 40), 0.5);
}

TEST(ScheduleTest, AWarmupBelowOneIsAShare) {
  EXPECT_EQ(learning_rate_at(schedule(ScheduleType::kConstant, 0.25), 1, 10),
            2.0 / 3);  // ceil(2.5) steps
  EXPECT_EQ(learning_rate_at(schedule(ScheduleType::kConstant, 0.25), 3, 10), 2.0);
}

TEST(ScheduleTest, AllStepsMayBeWarmup) {
  EXPECT_EQ(learning_rate_at(schedule(ScheduleType::kLinear, 10), 9, 10), 1.8);
  EXPECT_EQ(learning_rate_at(schedule(ScheduleType::kCosine, 20), 9, 10), 0.9);
}

}  // namespace
}  // namespace pdl
