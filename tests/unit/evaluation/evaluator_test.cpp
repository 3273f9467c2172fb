#include "pdl/evaluation/evaluator.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/log_softmax.h>
#include <gtest/gtest.h>

#include <cmath>

#include "pdl/batches/batch.h"
#include "trainer/trainer_fixture.h"

namespace pdl {
namespace {

const std::vector<int64_t> kCounts = {5000, 600, 200, 50, 7, 3, 1, 0, 0, 2, 2, 0};

WeightTable some_weights() {
  WeightOptions options;
  options.pdl_alpha = 0.5;
  return {kCounts, options, {}, at::kCPU};
}

TEST(EvaluatorTest, ChunksOfLogitsChangeRoundingAlone) {
  const TempFolder folder;
  const auto model = load_script_model(folder, kSplitSource);
  const Sequences rows = random_sequences(9, 4);
  const EvalMetrics whole = evaluate(*model, rows, some_weights(), {.batch_size = 4}).value();
  for (const int64_t chunk_positions : {1, 5, 1000}) {
    const EvalMetrics chunked = evaluate(*model, rows, some_weights(),
                                         {.batch_size = 4, .chunk_positions = chunk_positions})
                                    .value();
    EXPECT_EQ(chunked.eval_tokens, whole.eval_tokens);
    EXPECT_EQ(chunked.eval_accuracy, whole.eval_accuracy);
    EXPECT_NEAR(chunked.eval_loss, whole.eval_loss, 1e-6);
    for (size_t band = 0; band < 7; ++band) {
      EXPECT_NEAR(chunked.eval_bands[band].predicted_mass, whole.eval_bands[band].predicted_mass,
                  1e-6);
    }
  }
}

TEST(EvaluatorTest, IsTheDefinitionTargetByTarget) {
  const TempFolder folder;
  const auto model = load_script_model(folder, kDropoutSource);
  const Sequences rows = random_sequences(9, 4);
  const EvalMetrics metrics = evaluate(*model, rows, some_weights(), {.batch_size = 4}).value();
  const at::NoGradGuard no_grad;
  double ce_sum = 0;
  double weighted_sum = 0;
  double weight_sum = 0;
  double hits = 0;
  std::array<double, 7> band_ce{};
  std::array<double, 7> band_mass{};
  std::array<int64_t, 7> band_tokens{};
  for (int64_t row = 0; row < rows.size(); ++row) {
    const Batch batch = make_batch(rows, {row}, {});
    const at::Tensor log_probability =
        at::log_softmax(model->forward(batch.input_ids).to(at::kDouble), -1)[0];
    for (int64_t t = 0; t < batch.num_tokens; ++t) {
      const auto y = batch.targets[0][t].item<int64_t>();
      const double ce = -log_probability[t][y].item<double>();
      const double w = 1 / std::sqrt(1.0 + static_cast<double>(kCounts[static_cast<size_t>(y)]));
      ce_sum += ce;
      weighted_sum += w * ce;
      weight_sum += w;
      hits += log_probability[t].argmax().item<int64_t>() == y ? 1 : 0;
      const auto band = static_cast<size_t>(band_of_count(kCounts[static_cast<size_t>(y)]));
      band_ce[band] += ce;
      ++band_tokens[band];
      for (int64_t v = 0; v < kTestVocab; ++v) {
        band_mass[static_cast<size_t>(band_of_count(kCounts[static_cast<size_t>(v)]))] +=
            log_probability[t][v].exp().item<double>();
      }
    }
  }
  const auto n = static_cast<double>(rows.num_targets());
  EXPECT_EQ(metrics.eval_tokens, rows.num_targets());
  EXPECT_NEAR(metrics.eval_ce, ce_sum / n, 1e-6);
  EXPECT_NEAR(metrics.eval_loss, weighted_sum / weight_sum, 1e-6);
  EXPECT_DOUBLE_EQ(metrics.eval_accuracy, hits / n);
  for (size_t band = 0; band < 7; ++band) {
    EXPECT_EQ(metrics.eval_bands[band].tokens, band_tokens[band]);
    EXPECT_NEAR(metrics.eval_bands[band].predicted_mass, band_mass[band] / n, 1e-6);
    EXPECT_EQ(metrics.eval_bands[band].ce.has_value(), band_tokens[band] > 0);
    if (band_tokens[band] > 0) {
      EXPECT_NEAR(*metrics.eval_bands[band].ce,
                  band_ce[band] / static_cast<double>(band_tokens[band]), 1e-6);
    }
  }
}

TEST(EvaluatorTest, IsBrokenOffBetweenBatches) {
  const TempFolder folder;
  const auto model = load_script_model(folder, kCausalSource);
  const Sequences rows = random_sequences(9, 4);
  int64_t asked = 0;
  const auto three_batches = [&] { return ++asked <= 3; };
  EXPECT_FALSE(evaluate(*model, rows, some_weights(), {.batch_size = 2}, three_batches));
  EXPECT_EQ(asked, 4);
  asked = 0;
  EXPECT_TRUE(evaluate(*model, rows, some_weights(), {.batch_size = 3}, three_batches));
}

TEST(EvaluatorTest, TheBatchSizeDoesNotMatter) {
  const TempFolder folder;
  const auto model = load_script_model(folder, kCausalSource);
  const Sequences rows = random_sequences(9, 4);
  const EvalMetrics one = evaluate(*model, rows, some_weights(), {.batch_size = 1}).value();
  const EvalMetrics all = evaluate(*model, rows, some_weights(), {.batch_size = 100}).value();
  EXPECT_NEAR(one.eval_ce, all.eval_ce, 1e-7);
  EXPECT_NEAR(one.eval_loss, all.eval_loss, 1e-7);
  EXPECT_LT(evaluate(*model, rows, some_weights(), {.batch_size = 2, .max_batches = 2})
                .value()
                .eval_tokens,
            one.eval_tokens);
}

}  // namespace
}  // namespace pdl
