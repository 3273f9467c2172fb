#include "pdl/batches/batch_loader.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "support/corpus_of.h"

namespace pdl {
namespace {

Sequences numbered_rows(int64_t num_rows) {
  std::vector<Token> tokens;
  std::vector<int64_t> ends;
  for (int32_t row = 0; row < num_rows; ++row) {
    tokens.insert(tokens.end(), 3, Token(row));
    ends.push_back(std::ssize(tokens));
  }
  return {corpus_of(tokens, ends), {.max_length = 16, .packing = false}};
}

TrainingOptions two_by_two() {
  TrainingOptions options;
  options.per_device_train_batch_size = 2;
  options.gradient_accumulation_steps = 2;
  options.shuffle = false;
  return options;
}

TEST(BatchLoaderTest, GivesTheBatchesOfThePlanInOrder) {
  const Sequences rows = numbered_rows(11);
  BatchPlan plan(rows.size(), two_by_two());
  BatchLoader loader(rows, plan, {.first_step = 2, .end_step = 9});
  for (int64_t step = 2; step < 9; ++step) {
    const StepBatches loaded = loader.next();
    const std::vector<MicroBatch> window = plan.window(step);
    ASSERT_EQ(loaded.batches.size(), window.size()) << step;
    ASSERT_EQ(loaded.micro_batches.size(), window.size());
    std::vector<int64_t> sequences;
    for (size_t i = 0; i < window.size(); ++i) {
      EXPECT_EQ(loaded.micro_batches[i].index, window[i].index);
      sequences.insert(sequences.end(), window[i].sequences.begin(), window[i].sequences.end());
      const Batch expected = make_batch(rows, window[i].sequences, {});
      EXPECT_TRUE(at::equal(loaded.batches[i].input_ids, expected.input_ids));
      EXPECT_TRUE(at::equal(loaded.batches[i].targets, expected.targets));
      EXPECT_EQ(loaded.batches[i].num_tokens, expected.num_tokens);
    }
    EXPECT_EQ(loaded.sequences, sequences);
  }
}

TEST(BatchLoaderTest, ARankMakesItsShareAndKnowsTheWholeWindow) {
  const Sequences rows = numbered_rows(11);
  BatchPlan plan(rows.size(), two_by_two(), 2);
  BatchLoader loader(rows, plan, {.end_step = 2, .rank = 1, .num_ranks = 2});
  const StepBatches first = loader.next();
  EXPECT_EQ(first.sequences, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
  ASSERT_EQ(first.batches.size(), 2U);
  EXPECT_EQ(first.batches[0].input_ids[0][0].item<int64_t>(), 2);
  EXPECT_EQ(first.batches[1].input_ids[0][0].item<int64_t>(), 6);
  EXPECT_EQ(loader.next().sequences, (std::vector<int64_t>{8, 9, 10}));
}

TEST(BatchLoaderTest, CanBeLeftBeforeTheEnd) {
  const Sequences rows = numbered_rows(8);
  BatchLoader loader(rows, BatchPlan(rows.size(), two_by_two()), {.end_step = 1'000'000});
  loader.next();
}

TEST(BatchLoaderTest, AFailureReachesTheTaker) {
  const Sequences rows = numbered_rows(8);
  // a device that this build does not have
  BatchLoader loader(rows, BatchPlan(rows.size(), two_by_two()),
                     {.batch = {.device = at::Device(at::kVulkan)}, .end_step = 3});
  EXPECT_ANY_THROW(loader.next());
  EXPECT_ANY_THROW(loader.next());
}

}  // namespace
}  // namespace pdl
