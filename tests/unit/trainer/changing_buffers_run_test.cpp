// Runs of a model that changes more than its parameters.
#include <gtest/gtest.h>

#include <vector>

#include "pdl/base/error.h"
#include "trainer/trainer_fixture.h"

namespace pdl {
namespace {

std::vector<double> losses(const SmallRun& run) {
  std::vector<double> all;
  for (const StepMetrics& step : run.observer.steps) all.push_back(step.loss);
  return all;
}

TEST(ChangingBuffersRunTest, AResumedRunIsTheUninterruptedOne) {
  SmallRun whole(stateful_module());
  whole.eval_sequences = &whole.rows;
  whole.training().max_steps = 6;
  whole.training().per_device_train_batch_size = 4;
  whole.training().gradient_accumulation_steps = 2;
  whole.options.checkpoint.save_steps = 3;
  whole.options.evaluation.eval_steps = 2;
  whole.run();

  SmallRun rest(stateful_module());
  rest.eval_sequences = &rest.rows;
  rest.options = whole.options;
  rest.options.output_dir = rest.folder / "out";
  rest.run(checkpoint_folder(whole.options.output_dir, 3));
  const std::vector<double> all = losses(whole);
  ASSERT_EQ(all.size(), 6U);
  EXPECT_EQ(losses(rest), std::vector<double>(all.begin() + 3, all.end()));
  EXPECT_EQ(rest.observer.evals.back().eval_ce, whole.observer.evals.back().eval_ce);
  expect_equal(copies(rest.model->parameters().all()), copies(whole.model->parameters().all()));
  for (const NamedTensor& buffer : whole.model->parameters().buffers) {
    if (buffer.name != "calls") continue;
    EXPECT_EQ(buffer.tensor.item<int64_t>(), 12);
  }
}

TEST(ChangingBuffersRunTest, ASkippedStepLeavesTheBuffersAsTheyWere) {
  SmallRun run(stateful_module(), 30, 12);
  run.training().per_device_train_batch_size = 3;
  run.training().max_steps = 10;
  run.training().max_bad_steps = 10;
  run.run();
  ASSERT_FALSE(run.observer.skips.empty());
  const auto trained = static_cast<int64_t>(10 - run.observer.skips.size());
  ASSERT_GT(trained, 0);
  for (const NamedTensor& buffer : run.model->parameters().buffers) {
    EXPECT_TRUE(buffer.tensor.isfinite().all().item<bool>()) << buffer.name;
    if (buffer.name != "calls") continue;
    EXPECT_EQ(buffer.tensor.item<int64_t>(), trained);
  }
  run.model->set_training(false);
  EXPECT_TRUE(run.model->forward(at::ones({1, 3}, at::kLong)).isfinite().all().item<bool>());
}

TEST(ChangingBuffersRunTest, TheBestModelHasItsOwnBuffers) {
  SmallRun run(stateful_module());
  run.eval_sequences = &run.rows;
  run.training().max_steps = 6;
  run.options.evaluation.eval_steps = 1;
  run.options.evaluation.early_stopping_patience = 1;
  run.options.schedule.learning_rate = 5;  // so that the first evaluation is the best
  run.run();
  ASSERT_GT(run.trainer->state().step, run.trainer->state().selection.best_eval->step);
  run.model->pull_buffers();  // what forward would use
  for (const NamedTensor& buffer : run.model->parameters().buffers) {
    if (buffer.name != "calls") continue;
    EXPECT_EQ(buffer.tensor.item<int64_t>(), run.trainer->state().selection.best_eval->step);
  }
}

TEST(ChangingBuffersRunTest, ATrialOfTheLargestBatchLeavesTheBuffersAsTheyWere) {
  SmallRun run(stateful_module());
  run.start();
  const std::vector<at::Tensor> before = copies(run.model->parameters().buffers);
  run.trainer->try_largest();
  run.model->pull_buffers();
  expect_equal(copies(run.model->parameters().buffers), before);
}

TEST(ChangingBuffersRunTest, ARunThatSkippedEveryStepHasFailed) {
  SmallRun run(kPoisonedSource, 30, 12);
  run.training().per_device_train_batch_size = 30;  // each has token 11
  run.training().max_steps = 3;
  EXPECT_THROW(run.run(), NumericError);
  EXPECT_EQ(run.observer.skips.size(), 3U);
}

}  // namespace
}  // namespace pdl
