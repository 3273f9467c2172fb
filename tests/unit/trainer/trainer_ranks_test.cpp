// A trainer that somebody stops, and several that train together.
#include <gtest/gtest.h>

#include "pdl/trainer/trainer.h"
#include "support/thread_ranks.h"
#include "trainer/trainer_fixture.h"

namespace pdl {
namespace {

// Each rank computes its micro-batches of every window; sums over the ranks are those of one
// process that computes them all, and every rank ends with the same weights.
TEST(TrainerTest, RanksTrainAsOneProcessDoes) {
  constexpr int64_t kRanks = 3;
  const auto configure = [](SmallRun& run, int64_t accumulation) {
    run.training().max_steps = 5;
    run.training().per_device_train_batch_size = 2;
    run.training().gradient_accumulation_steps = accumulation;
    run.training().shuffle = true;
  };
  SmallRun one;
  configure(one, 2 * kRanks);
  one.run();
  ThreadRanks ranks(kRanks);
  std::vector<SmallRun> runs(kRanks);
  ranks.run([&](ProcessGroup& group) {
    SmallRun& run = runs[static_cast<size_t>(group.rank())];
    configure(run, 2);
    run.group = &group;
    run.run();
  });
  for (const SmallRun& run : runs) {
    ASSERT_EQ(run.observer.steps.size(), one.observer.steps.size());
    for (size_t i = 0; i < one.observer.steps.size(); ++i) {
      EXPECT_NEAR(run.observer.steps[i].loss, one.observer.steps[i].loss, 1e-6);
      EXPECT_EQ(run.observer.steps[i].num_tokens, one.observer.steps[i].num_tokens);
      EXPECT_NEAR(run.observer.steps[i].grad_norm, one.observer.steps[i].grad_norm, 1e-6);
    }
    expect_equal(copies(run.model->parameters().all()), copies(runs[0].model->parameters().all()));
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(run.model->parameters().trained[i].tensor.allclose(
          one.model->parameters().trained[i].tensor, 1e-4, 1e-6));
    }
  }
}

// A signal reaches one rank alone.
TEST(TrainerTest, TheVoteOfOneRankStopsAll) {
  ThreadRanks ranks(2);
  std::vector<SmallRun> runs(2);
  ScriptedControl control(1);
  runs[1].control = &control;
  ranks.run([&](ProcessGroup& group) {
    SmallRun& run = runs[static_cast<size_t>(group.rank())];
    run.training().max_steps = 5;
    run.group = &group;
    run.run();
  });
  for (const SmallRun& run : runs) EXPECT_EQ(run.trainer->state().step, 2);
}

TEST(TrainerTest, AStopSavesTheStepAndAResumedRunGoesOnAsIfNothingHadHappened) {
  SmallRun whole;
  whole.training().max_steps = 6;
  whole.training().logging_steps = 2;
  whole.run();
  SmallRun stopped;
  ScriptedControl control(2);
  stopped.control = &control;
  stopped.training().max_steps = 6;
  stopped.training().logging_steps = 2;
  stopped.run();
  EXPECT_FALSE(stopped.trainer->is_done());
  EXPECT_EQ(stopped.trainer->state().step, 3);
  EXPECT_EQ(checkpoint_steps(stopped), (std::vector<int64_t>{3}));
  stopped.control = nullptr;
  stopped.run(stopped.options.output_dir / "checkpoint-3");
  EXPECT_TRUE(stopped.trainer->is_done());
  ASSERT_EQ(stopped.observer.steps.size(), whole.observer.steps.size());
  for (size_t i = 0; i < whole.observer.steps.size(); ++i)
    EXPECT_EQ(stopped.observer.steps[i].loss, whole.observer.steps[i].loss) << i;
  EXPECT_TRUE(at::equal(stopped.model->parameters().trained[0].tensor,
                        whole.model->parameters().trained[0].tensor));
}

TEST(TrainerTest, AStopInAnEvaluationLeavesItToTheResumedRun) {
  for (int64_t stop_after = 0; stop_after < 12; ++stop_after) {
    SmallRun run;
    const Sequences eval_sequences = random_sequences(6, 9);
    ScriptedControl control(stop_after);
    run.eval_sequences = &eval_sequences;
    run.control = &control;
    run.training().max_steps = 2;
    run.options.evaluation.eval_steps = 1;
    run.options.evaluator.batch_size = 2;  // three batches
    run.run();
    const auto steps = checkpoint_steps(run);
    ASSERT_FALSE(steps.empty()) << stop_after;
    run.control = nullptr;
    run.run(run.options.output_dir / ("checkpoint-" + std::to_string(steps.back())));
    EXPECT_TRUE(run.trainer->is_done());
    ASSERT_EQ(run.observer.evals.size(), 2U) << stop_after;
    EXPECT_EQ(run.observer.evals[0].step, 1);
    EXPECT_EQ(run.observer.evals[1].step, 2);
    EXPECT_EQ(run.observer.steps.size(), 2U) << stop_after;
  }
}

TEST(TrainerTest, ASaveThatIsAskedForIsMadeOnce) {
  SmallRun run;
  ScriptedControl control(1000);
  control.save_wanted = true;
  run.control = &control;
  run.training().max_steps = 4;
  run.run();
  EXPECT_EQ(checkpoint_steps(run), (std::vector<int64_t>{1, 4}));
}

}  // namespace
}  // namespace pdl
