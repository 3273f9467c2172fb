#include "pdl/trainer/dropout_seed.h"

#include <ATen/Context.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>

#include <vector>

namespace pdl {
namespace {

at::Tensor drawn(uint64_t seed, int64_t step, int64_t micro_batch) {
  seed_dropout(seed, step, micro_batch);
  return at::rand({64});
}

TEST(DropoutSeedTest, TheSameMicroBatchDrawsTheSameWhateverWasDrawnBefore) {
  const at::Tensor first = drawn(42, 7, 3);
  at::rand({1000});
  EXPECT_TRUE(at::equal(drawn(42, 7, 3), first));
}

// Computed by tests/golden/reference_trainer.py, from the description of SplitMix64.
TEST(DropoutSeedTest, TheSeedIsTheSameOnEveryMachine) {
  seed_dropout(42, 0, 0);
  EXPECT_EQ(at::globalContext().defaultGenerator(at::kCPU).current_seed(), 11430451035561646790U);
  seed_dropout(42, 7, 3);
  EXPECT_EQ(at::globalContext().defaultGenerator(at::kCPU).current_seed(), 9044633519751031792U);
}

TEST(DropoutSeedTest, NeighboursDrawOtherNumbers) {
  std::vector<at::Tensor> all;
  for (const uint64_t seed : {42, 43}) {
    for (int64_t step = 0; step < 4; ++step) {
      for (int64_t micro_batch = 0; micro_batch < 4; ++micro_batch) {
        all.push_back(drawn(seed, step, micro_batch));
      }
    }
  }
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t j = 0; j < i; ++j) EXPECT_FALSE(at::equal(all[i], all[j])) << i << " and " << j;
  }
}

}  // namespace
}  // namespace pdl
