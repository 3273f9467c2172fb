#include "pdl/loss/weighted_cross_entropy.h"

#include <ATen/Context.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>

#include "pdl/base/error.h"
#include "pdl/data/batch.h"

namespace pdl {
namespace {

struct Example {
  at::Tensor logits;
  at::Tensor targets;
  at::Tensor weights;

  Example() {
    at::manual_seed(1);
    logits = at::randn({3, 5, 17}).mul(3).set_requires_grad(true);
    targets = at::randint(0, 17, {3, 5}, at::kLong);
    weights = at::randn({17}).exp();
    targets[0][4] = kIgnoreTarget;
    targets[2][1] = kIgnoreTarget;
  }
};

// Gradient of Σ w·ce / Σ w.
at::Tensor mean_gradient(const Example& example, const at::Tensor& weights) {
  const LossTerms terms = weighted_cross_entropy(example.logits, example.targets, weights);
  example.logits.mutable_grad().reset();
  terms.weighted_sum.div(terms.weight_sum).backward();
  return example.logits.grad().clone();
}

// The definition, token by token in float64.
TEST(WeightedCrossEntropyTest, IsTheDefinition) {
  const Example example;
  const LossTerms terms = weighted_cross_entropy(example.logits, example.targets, example.weights);
  const at::Tensor gradient = mean_gradient(example, example.weights);
  const at::Tensor logits = example.logits.detach().to(at::kDouble);
  const double weight_sum = terms.weight_sum.item<double>();
  double expected_weighted = 0;
  double expected_weights = 0;
  double expected_ce = 0;
  int64_t tokens = 0;
  for (int64_t b = 0; b < 3; ++b) {
    for (int64_t t = 0; t < 5; ++t) {
      const auto y = example.targets[b][t].item<int64_t>();
      const at::Tensor row = logits[b][t];
      const at::Tensor log_sum = row.exp().sum().log();
      const double w = y == kIgnoreTarget ? 0 : example.weights[y].item<double>();
      if (y != kIgnoreTarget) {
        const double ce = log_sum.sub(row[y]).item<double>();
        expected_weighted += w * ce;
        expected_weights += w;
        expected_ce += ce;
        ++tokens;
      }
      for (int64_t v = 0; v < 17; ++v) {
        const double softmax = row[v].sub(log_sum).exp().item<double>();
        EXPECT_NEAR(gradient[b][t][v].item<double>(), w / weight_sum * (softmax - (v == y ? 1 : 0)),
                    1e-7);
      }
    }
  }
  EXPECT_NEAR(terms.weighted_sum.item<double>(), expected_weighted, 1e-6 * expected_weighted);
  EXPECT_NEAR(weight_sum, expected_weights, 1e-12 * expected_weights);
  EXPECT_NEAR(terms.ce_sum.item<double>(), expected_ce, 1e-6 * expected_ce);
  EXPECT_EQ(terms.num_tokens.item<int64_t>(), tokens);
}

TEST(WeightedCrossEntropyTest, AtAlphaZeroItIsPlainCrossEntropyBitForBit) {
  const Example example;
  const at::Tensor ones = at::ones({17});
  const LossTerms terms = weighted_cross_entropy(example.logits, example.targets, ones);
  EXPECT_EQ(terms.weighted_sum.item<double>(), terms.ce_sum.item<double>());
  EXPECT_EQ(terms.weight_sum.item<double>(), static_cast<double>(terms.num_tokens.item<int64_t>()));

  const at::Tensor gradient = mean_gradient(example, ones);
  example.logits.mutable_grad().reset();
  const at::Tensor mean =
      at::cross_entropy_loss(example.logits.reshape({-1, 17}), example.targets.reshape(-1), {},
                             at::Reduction::Mean, kIgnoreTarget);
  mean.backward();
  EXPECT_TRUE(at::equal(gradient, example.logits.grad()));
  EXPECT_FLOAT_EQ(static_cast<float>(terms.weighted_sum.div(terms.weight_sum).item<double>()),
                  mean.item<float>());
}

TEST(WeightedCrossEntropyTest, ScalingTheWeightsChangesNothing) {
  const Example example;
  const at::Tensor gradient = mean_gradient(example, example.weights);
  for (const double factor : {1e-6, 3.0, 1e6}) {
    const at::Tensor scaled = mean_gradient(example, example.weights.mul(factor));
    EXPECT_TRUE(scaled.allclose(gradient, 1e-6, 1e-10)) << factor;
  }
}

TEST(WeightedCrossEntropyTest, IgnoredTargetsCountNothing) {
  const Example example;
  const at::Tensor ignored = at::full({3, 5}, kIgnoreTarget, at::kLong);
  const LossTerms terms = weighted_cross_entropy(example.logits, ignored, example.weights);
  EXPECT_EQ(terms.weighted_sum.item<double>(), 0);
  EXPECT_EQ(terms.weight_sum.item<double>(), 0);
  EXPECT_EQ(terms.num_tokens.item<int64_t>(), 0);
  const at::Tensor gradient = mean_gradient(example, example.weights);
  EXPECT_EQ(gradient[0][4].abs().max().item<double>(), 0);
}

TEST(WeightedCrossEntropyTest, LowPrecisionLogitsAreSummedInFloat32) {
  const Example example;
  const at::Tensor rounded = example.logits.detach().to(at::kBFloat16);
  const LossTerms low = weighted_cross_entropy(rounded, example.targets, example.weights);
  const LossTerms full =
      weighted_cross_entropy(rounded.to(at::kFloat), example.targets, example.weights);
  EXPECT_EQ(low.weighted_sum.item<double>(), full.weighted_sum.item<double>());
}

TEST(WeightedCrossEntropyTest, TheSumsOfTheTargetsAreThoseOfTheLoss) {
  const Example example;
  const LossTerms terms = weighted_cross_entropy(example.logits, example.targets, example.weights);
  const TargetWeightSums sums = sum_target_weights(example.targets, example.weights);
  EXPECT_EQ(sums.weight_sum.item<double>(), terms.weight_sum.item<double>());
  const TargetWeightSums equal = sum_target_weights(example.targets, at::full({17}, 0.5));
  EXPECT_EQ(equal.square_sum.item<double>(), 0.25 * 13);
}

TEST(WeightedCrossEntropyTest, ShapesThatDisagreeAreAnError) {
  const Example example;
  EXPECT_THROW(weighted_cross_entropy(example.logits, example.targets, at::ones({16})), Error);
  EXPECT_THROW(
      weighted_cross_entropy(example.logits, at::zeros({3, 4}, at::kLong), example.weights), Error);
  EXPECT_THROW(weighted_cross_entropy(example.logits, at::zeros({3, 5}), example.weights), Error);
}

}  // namespace
}  // namespace pdl
