#include "pdl/trainer/training_step.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "trainer/trainer_fixture.h"

namespace pdl {
namespace {

TEST(TrainingStepTest, ATrialOfTheLargestBatchChangesNothing) {
  SmallRun run;
  run.start();
  TrainingStep step({.model = *run.model,
                     .optimizer = *run.optimizer,
                     .weights = *run.weights,
                     .group = run.single},
                    {});
  const std::vector<at::Tensor> before = copies(run.model->parameters().all());
  const std::vector<at::Tensor> moments = copies(run.optimizer->state());
  const StepTrial trial = step.try_largest(run.rows, 4, {});
  EXPECT_EQ(trial.batch_size, 4);
  EXPECT_EQ(trial.length, run.rows.longest());
  EXPECT_GT(trial.loss, 0);
  EXPECT_GT(trial.grad_norm, 0);
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(at::equal(run.model->parameters().all()[i].tensor, before[i])) << i;
  }
  for (size_t i = 0; i < moments.size(); ++i) {
    EXPECT_TRUE(at::equal(run.optimizer->state()[i].tensor, moments[i])) << i;
  }
  for (const NamedTensor& parameter : run.model->parameters().trained) {
    EXPECT_FALSE(parameter.tensor.grad().defined()) << parameter.name;
  }
}

TEST(TrainingStepTest, ATrialNeedsNoMoreSequencesThanThereAre) {
  SmallRun run(kCausalSource, 2);
  run.start();
  TrainingStep step({.model = *run.model,
                     .optimizer = *run.optimizer,
                     .weights = *run.weights,
                     .group = run.single},
                    {});
  EXPECT_EQ(step.try_largest(run.rows, 100, {}).batch_size, 2);
}

}  // namespace
}  // namespace pdl
