#include "pdl/batches/batch_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace pdl {
namespace {

using ::testing::ElementsAre;

TrainingOptions options(int64_t batch_size, int64_t accumulation, bool shuffle) {
  TrainingOptions training;
  training.per_device_train_batch_size = batch_size;
  training.gradient_accumulation_steps = accumulation;
  training.shuffle = shuffle;
  return training;
}

std::vector<std::vector<int64_t>> sequences_of(const std::vector<MicroBatch>& window) {
  std::vector<std::vector<int64_t>> sequences;
  for (const MicroBatch& micro_batch : window) sequences.push_back(micro_batch.sequences);
  return sequences;
}

std::vector<int64_t> epoch_rows(BatchPlan& plan, int64_t epoch) {
  std::vector<int64_t> rows;
  for (int64_t step = 0; step < plan.steps_per_epoch(); ++step) {
    for (const auto& batch : sequences_of(plan.window(epoch * plan.steps_per_epoch() + step))) {
      rows.insert(rows.end(), batch.begin(), batch.end());
    }
  }
  return rows;
}

TEST(BatchPlanTest, TheLastBatchAndWindowOfAnEpochAreShorter) {
  BatchPlan plan(11, options(2, 2, false));
  EXPECT_EQ(plan.steps_per_epoch(), 3);
  EXPECT_THAT(sequences_of(plan.window(0)), ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3)));
  EXPECT_THAT(sequences_of(plan.window(2)), ElementsAre(ElementsAre(8, 9), ElementsAre(10)));
  EXPECT_THAT(sequences_of(plan.window(3)), ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3)));
  EXPECT_THAT(sequences_of(BatchPlan(5, options(4, 2, false)).window(0)),
              ElementsAre(ElementsAre(0, 1, 2, 3), ElementsAre(4)));
}

TEST(BatchPlanTest, EveryEpochHoldsEachRowOnceInAnotherOrder) {
  BatchPlan plan(101, options(8, 3, true));
  const std::vector<int64_t> first = epoch_rows(plan, 0);
  const std::vector<int64_t> second = epoch_rows(plan, 1);
  EXPECT_NE(first, second);
  for (std::vector<int64_t> rows : {first, second}) {
    std::sort(rows.begin(), rows.end());
    for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(rows[i], static_cast<int64_t>(i));
    EXPECT_EQ(rows.size(), 101U);
  }
}

TEST(BatchPlanTest, TheOrderDependsOnNeitherBatchSizeNorAccumulation) {
  BatchPlan small(37, options(1, 1, true));
  BatchPlan large(37, options(5, 4, true));
  EXPECT_EQ(epoch_rows(small, 2), epoch_rows(large, 2));
}

TEST(BatchPlanTest, AStepNeedsNoStepBeforeIt) {
  BatchPlan in_order(50, options(3, 2, true));
  BatchPlan jumping(50, options(3, 2, true));
  std::vector<std::vector<std::vector<int64_t>>> steps;
  for (int64_t step = 0; step < 30; ++step) steps.push_back(sequences_of(in_order.window(step)));
  for (int64_t step = 29; step >= 0; --step)
    EXPECT_EQ(sequences_of(jumping.window(step)), steps[static_cast<size_t>(step)]);
}

// Several ranks together have each micro-batch of the window of one rank once, in turn.
TEST(BatchPlanTest, RanksShareAWindow) {
  constexpr int64_t kRanks = 3;
  BatchPlan one(50, options(2, 6, true));
  BatchPlan several(50, options(2, 2, true), kRanks);
  ASSERT_EQ(several.steps_per_epoch(), one.steps_per_epoch());
  for (int64_t step = 0; step < 2 * one.steps_per_epoch(); ++step) {
    const std::vector<MicroBatch> window = several.window(step);
    EXPECT_EQ(sequences_of(window), sequences_of(one.window(step)));
    size_t num_shared = 0;
    for (int64_t rank = 0; rank < kRanks; ++rank) {
      const std::vector<MicroBatch> share = share_of(window, rank, kRanks);
      for (size_t i = 0; i < share.size(); ++i) {
        const auto index = static_cast<size_t>(rank) + i * kRanks;
        EXPECT_EQ(share[i].index, static_cast<int64_t>(index));
        EXPECT_EQ(share[i].sequences, window[index].sequences);
      }
      num_shared += share.size();
    }
    EXPECT_EQ(num_shared, window.size());
  }
}

TEST(BatchPlanTest, ARankMayHaveNoPartInTheLastWindow) {
  BatchPlan plan(5, options(2, 1, false), 4);
  ASSERT_EQ(plan.window(0).size(), 3U);
  EXPECT_TRUE(share_of(plan.window(0), 3, 4).empty());
}

// Computed by a separate program in Python from the description of SplitMix64 and Fisher-Yates.
TEST(BatchPlanTest, TheOrderIsTheSameOnEveryMachine) {
  EXPECT_THAT(shuffled_order(8, 42, 0), ElementsAre(4, 3, 2, 1, 0, 5, 7, 6));
}

TEST(BatchPlanTest, StepsFollowMaxStepsOrEpochs) {
  TrainingOptions training = options(4, 2, true);
  training.num_train_epochs = 2.5;
  EXPECT_EQ(BatchPlan(17, training).total_steps(), 8);  // ceil(2.5 · 3)
  training.max_steps = 5;
  EXPECT_EQ(BatchPlan(17, training).total_steps(), 5);
}

}  // namespace
}  // namespace pdl
