#include "pdl/data/batch_loader.h"

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
  return options;
}

TEST(BatchLoaderTest, GivesTheBatchesOfThePlanInOrder) {
  const Sequences rows = numbered_rows(11);
  BatchPlan plan(rows.size(), two_by_two());
  BatchLoader loader(rows, plan, {.first_step = 2, .end_step = 9});
  for (int64_t step = 2; step < 9; ++step) {
    const StepBatches loaded = loader.next();
    ASSERT_EQ(loaded.rows, plan.micro_batches(step)) << step;
    ASSERT_EQ(loaded.batches.size(), loaded.rows.size());
    for (size_t i = 0; i < loaded.rows.size(); ++i) {
      const Batch expected = make_batch(rows, loaded.rows[i], 0, at::kCPU);
      EXPECT_TRUE(at::equal(loaded.batches[i].input_ids, expected.input_ids));
      EXPECT_TRUE(at::equal(loaded.batches[i].targets, expected.targets));
      EXPECT_EQ(loaded.batches[i].num_tokens, expected.num_tokens);
    }
  }
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
                     {.device = at::Device(at::kVulkan), .end_step = 3});
  EXPECT_ANY_THROW(loader.next());
  EXPECT_ANY_THROW(loader.next());
}

}  // namespace
}  // namespace pdl
