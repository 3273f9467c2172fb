#include "pdl/trainer/trainer.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/ops/cross_entropy.h"
#include "pdl/trainer/spike_detector.h"
#include "trainer/trainer_fixture.h"

namespace pdl {
namespace {

// After one step from zero, exp_avg is 0.1 times the gradient.
std::vector<at::Tensor> first_gradients(const SmallRun& run) {
  std::vector<at::Tensor> gradients;
  for (const NamedTensor& named : run.optimizer->state()) {
    if (named.name.ends_with(".exp_avg")) gradients.push_back(named.tensor.clone());
  }
  return gradients;
}

TEST(TrainerTest, AnySplitIntoMicroBatchesGivesTheSameLossAndGradient) {
  std::vector<at::Tensor> whole;
  double loss = 0;
  for (const int64_t batch_size : {16, 8, 4, 1, 5}) {
    SmallRun run;
    ASSERT_EQ(run.rows.size(), 16);
    run.training().per_device_train_batch_size = batch_size;
    run.training().gradient_accumulation_steps = (16 + batch_size - 1) / batch_size;
    run.run();
    const std::vector<at::Tensor> gradients = first_gradients(run);
    if (whole.empty()) {
      whole = gradients;
      loss = run.observer.steps[0].loss;
    }
    EXPECT_NEAR(run.observer.steps[0].loss, loss, 1e-6 * loss);
    for (size_t i = 0; i < whole.size(); ++i) {
      const double scale = whole[i].abs().max().item<double>();
      EXPECT_LE(gradients[i].sub(whole[i]).abs().max().item<double>(), 1e-6 * scale) << batch_size;
    }
  }
}

// Not up to a factor: divided by the weights, once, and not by the number of tokens.
TEST(TrainerTest, TheGradientIsThatOfTheWeightedMean) {
  SmallRun run;
  run.training().per_device_train_batch_size = 4;
  run.training().gradient_accumulation_steps = 4;
  run.run();
  SmallRun direct;
  direct.start();
  std::vector<int64_t> all(16);
  std::iota(all.begin(), all.end(), 0);
  const Batch batch = make_batch(direct.rows, all, {});
  const at::Tensor& weights = direct.weights->at_alpha(1.0);
  weighted_cross_entropy(direct.model->forward(batch.input_ids), batch.targets, weights,
                         sum_target_weights(batch.targets, weights).weight_sum)
      .loss.backward();
  const std::vector<at::Tensor> gradients = first_gradients(run);
  ASSERT_EQ(gradients.size(), 3U);
  double square_sum = 0;
  for (const at::Tensor& gradient : direct.optimizer->gradients()) {
    square_sum += gradient.square().sum().item<double>();
  }
  EXPECT_NEAR(run.observer.steps[0].grad_norm, std::sqrt(square_sum), 1e-6 * std::sqrt(square_sum));
  for (size_t i = 0; i < gradients.size(); ++i) {
    EXPECT_TRUE(gradients[i].allclose(direct.model->parameters().trained[i].tensor.grad().mul(0.1),
                                      1e-5, 1e-8))
        << i;
  }
}

TEST(TrainerTest, AlphaZeroReportsTheSameLossAndCe) {
  SmallRun run;
  run.weight_options.pdl_alpha = 0;
  run.training().max_steps = 4;
  run.run();
  for (const StepMetrics& step : run.observer.steps) {
    EXPECT_EQ(step.loss, step.ce);
    EXPECT_EQ(step.n_eff, step.weight_sum);
  }
}

TEST(TrainerTest, TheWeightsChangeLossAndGradient) {
  SmallRun plain;
  plain.weight_options.pdl_alpha = 0;
  plain.run();
  SmallRun weighted;
  weighted.run();
  EXPECT_EQ(plain.observer.steps[0].ce, weighted.observer.steps[0].ce);
  EXPECT_GT(std::abs(weighted.observer.steps[0].loss - plain.observer.steps[0].loss), 1e-4);
  EXPECT_GT(std::abs(weighted.observer.steps[0].grad_norm - plain.observer.steps[0].grad_norm),
            1e-4);
}

TEST(TrainerTest, AlphaWarmsUpFromZero) {
  SmallRun run;
  run.training().max_steps = 4;
  run.training().pdl_alpha_warmup_steps = 2;
  run.run();
  EXPECT_EQ(run.observer.steps[0].loss, run.observer.steps[0].ce);
  EXPECT_NE(run.observer.steps[1].loss, run.observer.steps[1].ce);
}

// What a step may be made of.
struct Mode {
  OptimizerType optim;
  int64_t logits_chunk_rows;
  bool scale_loss;
  const char* source;
};

class TrainerModesTest : public testing::TestWithParam<Mode> {};

INSTANTIATE_TEST_SUITE_P(, TrainerModesTest,
                         testing::Values(Mode{OptimizerType::kAdamW, 0, false, kDropoutSource},
                                         Mode{OptimizerType::kSgd, 0, false, kDropoutSource},
                                         Mode{OptimizerType::kAdamW, 3, false, kSplitSource},
                                         Mode{OptimizerType::kSgd, 3, true, kSplitSource},
                                         Mode{OptimizerType::kAdamW, 0, true, kDropoutSource}));

// A power of two changes exponents alone.
TEST(TrainerTest, ALossScaleChangesNoBit) {
  const auto trained = [](bool scale_loss, double max_grad_norm) {
    SmallRun run;
    run.training().max_steps = 10;
    run.options.step.scale_loss = scale_loss;
    run.options.step.max_grad_norm = max_grad_norm;
    run.run();
    std::vector<at::Tensor> result = copies(run.model->parameters().all());
    result.push_back(at::full({}, run.observer.steps.back().grad_norm, at::kDouble));
    return result;
  };
  for (const double max_grad_norm : {0.0, 0.05}) {
    const auto plain = trained(false, max_grad_norm);
    const auto scaled = trained(true, max_grad_norm);
    for (size_t i = 0; i < plain.size(); ++i) EXPECT_TRUE(at::equal(scaled[i], plain[i]));
  }
}

TEST_P(TrainerModesTest, AResumedRunIsTheUninterruptedOne) {
  const Mode mode = GetParam();
  const auto configure = [&](SmallRun& run) {
    run.optimizer_options.optim = mode.optim;
    run.options.step.chunk_positions = mode.logits_chunk_rows;
    run.options.step.scale_loss = mode.scale_loss;
    run.training().max_steps = 11;  // ends within the third epoch
    run.training().per_device_train_batch_size = 2;
    run.training().gradient_accumulation_steps = 2;
    run.training().shuffle = true;
    run.training().logging_steps = 3;
    run.options.checkpoint.save_steps = 1;
    run.options.checkpoint.save_total_limit = 0;
    run.options.step.max_grad_norm = 1;
  };
  SmallRun whole(mode.source);
  configure(whole);
  whole.run();
  for (int64_t step = 1; step <= 11; ++step) {
    SmallRun rest(mode.source);
    configure(rest);
    rest.options.checkpoint.save_steps = 0;
    rest.run(whole.options.output_dir / ("checkpoint-" + std::to_string(step)));
    const size_t skipped = whole.observer.steps.size() - rest.observer.steps.size();
    for (size_t i = 0; i < rest.observer.steps.size(); ++i) {
      EXPECT_EQ(rest.observer.steps[i].loss, whole.observer.steps[i + skipped].loss) << step;
      EXPECT_EQ(rest.observer.steps[i].n_eff, whole.observer.steps[i + skipped].n_eff) << step;
    }
    expect_equal(copies(rest.model->parameters().all()), copies(whole.model->parameters().all()));
  }
}

TEST(TrainerTest, ANonFiniteStepLeavesTheWeightsAlone) {
  SmallRun run(kPoisonedSource, 30, 12);
  run.training().max_steps = 30;
  run.training().per_device_train_batch_size = 1;
  run.training().max_bad_steps = 100;
  run.options.schedule.learning_rate = 0;
  const std::vector<at::Tensor> before = copies(run.model->parameters().all());
  run.run();
  ASSERT_FALSE(run.observer.skips.empty());
  for (const SkipMetrics& skip : run.observer.skips) {
    ASSERT_EQ(skip.rows.size(), 1U);
    EXPECT_THAT(ids_of(run.rows.tokens(skip.rows[0])), ::testing::Contains(11));
  }
  EXPECT_EQ(run.trainer->state().ledger.skipped_steps,
            static_cast<int64_t>(run.observer.skips.size()));
  expect_equal(copies(run.model->parameters().all()), before);
}

TEST(TrainerTest, TooManyNonFiniteStepsInARowDiverge) {
  SmallRun run(kPoisonedSource, 30, 12);
  run.training().max_steps = 30;
  run.training().per_device_train_batch_size = 30;
  run.training().max_bad_steps = 2;
  EXPECT_THROW(run.run(), NumericError);
  EXPECT_EQ(run.observer.skips.size(), 2U);
}

TEST(TrainerTest, EarlyStoppingKeepsTheBestModel) {
  SmallRun run;
  const Sequences other = random_sequences(8, 99);
  run.eval_sequences = &other;
  run.training().max_steps = 400;
  run.options.schedule.learning_rate = 0.2;
  run.options.evaluation.eval_steps = 5;
  run.options.evaluation.early_stopping_patience = 2;
  run.run();
  const TrainerState& state = run.trainer->state();
  ASSERT_TRUE(state.selection.stopped_early);
  ASSERT_LT(state.step, 400);
  double best = run.observer.evals[0].eval_ce;
  for (const EvalMetrics& eval : run.observer.evals) best = std::min(best, eval.eval_ce);
  EXPECT_EQ(state.selection.best_eval->eval_ce, best);
  SmallRun same;  // the saved best weights are those the model has now
  same.start();
  load_checkpoint_model(
      run.options.output_dir / ("checkpoint-" + std::to_string(state.selection.best_eval->step)),
      whole_slices(same.model->parameters().all()));
  expect_equal(copies(run.model->parameters().all()), copies(same.model->parameters().all()));
}

TEST(TrainerTest, ResumingWithoutTheBestCheckpointIsRefusedAtTheStart) {
  SmallRun run;
  const Sequences other = random_sequences(8, 99);
  run.eval_sequences = &other;
  run.training().max_steps = 4;
  run.options.evaluation.eval_steps = 2;
  run.options.evaluation.early_stopping_patience = 5;
  run.run();
  const auto checkpoint = run.options.output_dir / "checkpoint-4";
  EXPECT_NO_THROW(run.start(checkpoint));
  run.options.output_dir = run.folder / "other";
  EXPECT_THROW(run.start(checkpoint), CheckpointError);
}

TEST(TrainerTest, ANonFiniteEvaluationIsNeverTheBest) {
  SmallRun run(kPoisonedSource);
  const Sequences poisoned = random_sequences(30, 3, 12);
  run.eval_sequences = &poisoned;
  run.training().max_steps = 2;
  run.options.evaluation.eval_steps = 1;
  run.run();
  ASSERT_EQ(run.observer.evals.size(), 2U);
  EXPECT_FALSE(std::isfinite(run.observer.evals[0].eval_ce));
  EXPECT_FALSE(run.trainer->state().selection.best_eval.has_value());
}

TEST(TrainerTest, KeepsAsManyCheckpointsAsAsked) {
  SmallRun run;
  run.training().max_steps = 7;
  run.options.checkpoint.save_steps = 2;
  run.options.checkpoint.save_total_limit = 2;
  run.run();
  const auto checkpoints = list_checkpoints(run.options.output_dir);
  ASSERT_EQ(checkpoints.size(), 2U);
  EXPECT_EQ(checkpoints[0].first, 6);
  EXPECT_EQ(checkpoints[1].first, 7);
}

// Documents of one token that is learnt, and in the last step another one.
struct SpikeRun : SmallRun {
  explicit SpikeRun(SpikeAction action) {
    std::vector<Token> tokens;
    std::vector<int64_t> ends;
    const int64_t steps = kSpikeWindow + 3;
    for (int64_t row = 0; row < steps; ++row) {
      // Two kinds of rows in turn, for a window with a deviation.
      const int32_t usual = row % 2 == 0 ? 1 : 2;
      for (int i = 0; i < 6; ++i) tokens.emplace_back(row == kSpikeWindow + 1 ? 9 : usual);
      ends.push_back(std::ssize(tokens));
    }
    rows = Sequences(corpus_of(tokens, ends), {.max_length = 16, .packing = false});
    training().per_device_train_batch_size = 1;
    training().max_steps = steps;
    training().spike_threshold = 3;
    options.schedule.learning_rate = 0.05;
    training().spike_action = action;
  }
};

TEST(TrainerTest, ASpikeIsReportedAndTrainedOnOrSkipped) {
  SpikeRun warned(SpikeAction::kWarn);
  warned.run();
  ASSERT_EQ(warned.observer.spikes.size(), 1U);
  EXPECT_EQ(warned.observer.spikes[0].step, kSpikeWindow + 2);
  EXPECT_EQ(warned.observer.spikes[0].rows, (std::vector<int64_t>{kSpikeWindow + 1}));
  EXPECT_GT(warned.observer.spikes[0].z_score, 3);
  EXPECT_TRUE(warned.observer.skips.empty());

  SpikeRun skipped(SpikeAction::kSkip);
  skipped.run();
  ASSERT_EQ(skipped.observer.skips.size(), 1U);
  EXPECT_EQ(skipped.observer.skips[0].step, kSpikeWindow + 2);
  EXPECT_EQ(skipped.trainer->state().ledger.skipped_steps, 1);
  // The step after it still meets the weights that knew nothing of the spike.
  EXPECT_LT(skipped.observer.steps.back().ce, warned.observer.steps.back().ce);
}

TEST(TrainerTest, SpikesAreTheSameAfterAResume) {
  SpikeRun run(SpikeAction::kSkip);
  ScriptedControl control(kSpikeWindow);
  run.control = &control;
  run.run();
  const auto steps = checkpoint_steps(run);
  ASSERT_EQ(steps.back(), kSpikeWindow + 1);
  EXPECT_TRUE(run.observer.skips.empty());
  run.control = nullptr;
  run.run(run.options.output_dir / ("checkpoint-" + std::to_string(steps.back())));
  ASSERT_EQ(run.observer.skips.size(), 1U);
  EXPECT_EQ(run.observer.skips[0].step, kSpikeWindow + 2);
}

}  // namespace
}  // namespace pdl
