#include "pdl/ops/linear_cross_entropy.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/kernels/cpu_kernels.h"
#include "pdl/ops/ignore_target.h"
#include "support/any_threads.h"

namespace pdl {
namespace {

struct HeadCase {
  int64_t rows;
  int64_t dims;
  int64_t vocab_size;
};

struct HeadInput {
  at::Tensor hidden;
  at::Tensor head;
  at::Tensor targets;
  at::Tensor weights;
  at::Tensor weight_sum;
};

HeadInput random_input(const HeadCase& shape, double size = 1) {
  at::manual_seed(3);
  HeadInput input{at::randn({shape.rows, shape.dims}).mul_(size),
                  at::randn({shape.vocab_size, shape.dims})
                      .mul_(4 / std::sqrt(static_cast<double>(shape.dims))),
                  at::randint(0, shape.vocab_size, {shape.rows}, at::kLong),
                  at::rand({shape.vocab_size}).add_(0.1),
                  at::scalar_tensor(0.7 * static_cast<double>(shape.rows), at::kDouble)};
  if (shape.rows > 2) input.targets[shape.rows / 2] = kIgnoreTarget;
  return input;
}

// What linear_cross_entropy_gradient() gives.
struct HeadOutput {
  double weighted_sum;
  double ce_sum;
  at::Tensor hidden_gradient;
  at::Tensor head_gradient;
};

HeadOutput compute(const HeadInput& input, ProductPrecision precision) {
  HeadOutput output{0, 0, at::full_like(input.hidden, 9),
                    at::full(input.head.sizes(), 9, at::kFloat)};
  const CrossEntropySums sums = linear_cross_entropy_gradient(
      input.hidden, input.head, input.targets, input.weights, input.weight_sum, precision,
      output.hidden_gradient, {output.head_gradient, /*adds=*/false});
  output.weighted_sum = sums.weighted_sum.item<double>();
  output.ce_sum = sums.ce_sum.item<double>();
  return output;
}

at::Tensor rounded(const at::Tensor& x) { return x.to(at::kBFloat16).to(at::kDouble); }

// In float64, with factors that went through `round`.
template <class Round>
HeadOutput reference(const HeadInput& input, const Round& round) {
  const at::Tensor hidden = round(input.hidden);
  const at::Tensor head = round(input.head);
  const at::Tensor has_target = input.targets.ne(kIgnoreTarget);
  const at::Tensor targets = input.targets.clamp_min(0);
  const at::Tensor logits = hidden.matmul(head.t());
  const at::Tensor weights = input.weights.index_select(0, targets).to(at::kDouble).mul(has_target);
  const at::Tensor ce =
      logits.logsumexp(1).sub(logits.gather(1, targets.unsqueeze(1)).squeeze(1)).mul(has_target);
  at::Tensor gradient = logits.softmax(1);
  gradient.scatter_add_(1, targets.unsqueeze(1), at::full({targets.size(0), 1}, -1.0, at::kDouble));
  gradient.mul_(weights.div(input.weight_sum).unsqueeze(1));
  gradient = round(gradient.to(at::kFloat));
  return {ce.mul(weights).sum().item<double>(), ce.sum().item<double>(), gradient.matmul(head),
          gradient.t().matmul(hidden)};
}

double distance(const at::Tensor& value, const at::Tensor& exact) {
  const double largest = exact.abs().max().item<double>();
  return value.to(at::kDouble).sub(exact).abs().max().item<double>() / std::max(largest, 1e-30);
}

void expect_near(const HeadOutput& output, const HeadOutput& exact, double sums, double gradients) {
  EXPECT_NEAR(output.weighted_sum, exact.weighted_sum, sums * std::abs(exact.weighted_sum) + sums);
  EXPECT_NEAR(output.ce_sum, exact.ce_sum, sums * std::abs(exact.ce_sum) + sums);
  EXPECT_LT(distance(output.hidden_gradient, exact.hidden_gradient), gradients);
  EXPECT_LT(distance(output.head_gradient, exact.head_gradient), gradients);
}

class LinearCrossEntropyTest : public testing::TestWithParam<HeadCase> {
 protected:
  void SetUp() override {
    if (!has_linear_cross_entropy(at::kCPU, ProductPrecision::kBfloat16))
      GTEST_SKIP() << "this CPU has no instructions for bfloat16";
  }
};

// A gradient of a logit that float32 puts on the other side of a rounding's edge is off by 2^-8 of
// itself.
TEST_P(LinearCrossEntropyTest, IsTheGradientOfRoundedFactors) {
  const HeadInput input = random_input(GetParam());
  expect_near(compute(input, ProductPrecision::kBfloat16), reference(input, rounded), 1e-6, 1e-3);
}

TEST_P(LinearCrossEntropyTest, SplitFactorsAreNearlyExact) {
  const HeadInput input = random_input(GetParam());
  const auto exactly = [](const at::Tensor& x) { return x.to(at::kDouble); };
  expect_near(compute(input, ProductPrecision::kBfloat16x3), reference(input, exactly), 1e-5, 5e-5);
}

const std::vector<double> kTaus = {-1, 0, 0.5, 1, 20};

// Half of the tokens have counts of their own.
CountedVocabulary random_vocabulary(int64_t size, const std::vector<double>& taus = {}) {
  const at::Tensor counts = at::where(at::rand({size}).lt(0.5), at::randint(20, {size}, at::kLong),
                                      at::randint(5000, {size}, at::kLong));
  const auto* begin = counts.const_data_ptr<int64_t>();
  return {{begin, begin + size}, taus, at::kCPU};
}

// The definition of evaluate_linear_head() in float64, with factors that went through `round`.
template <class Round>
PositionEvaluations reference_evaluation(const HeadInput& input,
                                         const CountedVocabulary& vocabulary, const Round& round) {
  const at::Tensor has_target = input.targets.ne(kIgnoreTarget);
  const at::Tensor targets = input.targets.clamp_min(0);
  const at::Tensor logits = round(input.hidden).matmul(round(input.head).t());
  const at::Tensor log_softmax = logits.log_softmax(1);
  const at::Tensor mass = log_softmax.exp().mul(has_target.unsqueeze(1)).sum(0);
  return {log_softmax.gather(1, targets.unsqueeze(1)).squeeze(1).neg().mul(has_target),
          logits.argmax(1).eq(targets).logical_and(has_target),
          at::zeros({static_cast<int64_t>(kMaxBands)}, at::kDouble)
              .index_add(0, vocabulary.bands.to(at::kLong), mass)};
}

void expect_near(const PositionEvaluations& output, const PositionEvaluations& exact,
                 double bound) {
  EXPECT_TRUE(output.ce.allclose(exact.ce, bound, bound));
  EXPECT_TRUE(output.is_hit.equal(exact.is_hit));
  EXPECT_TRUE(output.band_mass.allclose(exact.band_mass, bound, bound));
}

// Half of the targets are the most probable tokens.
TEST_P(LinearCrossEntropyTest, EvaluationIsItsDefinition) {
  HeadInput input = random_input(GetParam());
  const CountedVocabulary vocabulary = random_vocabulary(GetParam().vocab_size);
  const at::Tensor is_hit = at::rand({GetParam().rows}).lt(0.5).logical_and(input.targets.ge(0));
  const auto exactly = [](const at::Tensor& x) { return x.to(at::kDouble); };
  const auto evaluate = [&](ProductPrecision precision, const auto& round) {
    const at::Tensor best = round(input.hidden).matmul(round(input.head).t()).argmax(1);
    input.targets = at::where(is_hit, best, input.targets);
    return evaluate_linear_head(input.hidden, input.head, input.targets, vocabulary, precision);
  };
  const PositionEvaluations rounds = evaluate(ProductPrecision::kBfloat16, rounded);
  expect_near(rounds, reference_evaluation(input, vocabulary, rounded), 3e-6);
  const PositionEvaluations splits = evaluate(ProductPrecision::kBfloat16x3, exactly);
  expect_near(splits, reference_evaluation(input, vocabulary, exactly), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Shapes, LinearCrossEntropyTest,
                         testing::Values(HeadCase{1, 1, 1}, HeadCase{1, 8, 5}, HeadCase{3, 17, 97},
                                         HeadCase{32, 32, 480}, HeadCase{33, 33, 481},
                                         HeadCase{255, 16, 96}, HeadCase{257, 48, 1000},
                                         HeadCase{530, 64, 2500}, HeadCase{70, 600, 500},
                                         HeadCase{40, 1100, 200},
                                         HeadCase{40, 8, 9000}));  // parts of several pieces

class AnyLinearCrossEntropyTest : public LinearCrossEntropyTest {};

INSTANTIATE_TEST_SUITE_P(OneShape, AnyLinearCrossEntropyTest,
                         testing::Values(HeadCase{300, 40, 4000}));  // pieces in nine groups

TEST_P(AnyLinearCrossEntropyTest, AnyNumberOfThreadsGivesTheSameBits) {
  const HeadInput input = random_input(GetParam());
  for (const ProductPrecision precision :
       {ProductPrecision::kBfloat16, ProductPrecision::kBfloat16x3}) {
    expect_same_bits_with_any_threads([&] {
      const HeadOutput output = compute(input, precision);
      return at::cat(
          {output.hidden_gradient.reshape(-1), output.head_gradient.reshape(-1),
           at::scalar_tensor(output.weighted_sum, at::kDouble).view({1}).to(at::kFloat)});
    });
  }
}

TEST_P(AnyLinearCrossEntropyTest, AnyNumberOfThreadsGivesTheSameBitsInEvaluation) {
  const HeadInput input = random_input(GetParam());
  const CountedVocabulary vocabulary = random_vocabulary(GetParam().vocab_size, kTaus);
  expect_same_bits_with_any_threads([&] {
    const PositionEvaluations output = evaluate_linear_head(
        input.hidden, input.head, input.targets, vocabulary, ProductPrecision::kBfloat16);
    return at::cat(
        {output.ce, output.is_hit.to(at::kDouble), output.band_mass, output.biased_ce.reshape(-1)});
  });
}

// Factors of so few bits that all logits are exact in any precision and order.
HeadInput exact_input(const HeadCase& shape) {
  HeadInput input = random_input(shape);
  input.hidden.mul_(8).round_().div_(8);
  input.head.mul_(16).round_().div_(16).clamp_(-8, 8);
  return input;
}

// The definition of PositionEvaluations::biased_ce in float64.
at::Tensor biased_reference(const HeadInput& input, const CountedVocabulary& vocabulary) {
  const at::Tensor logits =
      input.hidden.to(at::kDouble).matmul(input.head.to(at::kDouble).t()).unsqueeze(2);
  const at::Tensor biased =
      logits.add(vocabulary.biases.index_select(0, vocabulary.group_of_token));
  const at::Tensor targets = input.targets.clamp_min(0).view({-1, 1, 1});
  return biased.logsumexp(1)
      .sub(biased.take_along_dim(targets, 1).squeeze(1))
      .masked_fill(input.targets.eq(kIgnoreTarget).unsqueeze(1), 0);
}

TEST_P(LinearCrossEntropyTest, BiasedEvaluationIsItsDefinition) {
  const HeadInput input = exact_input(GetParam());
  const CountedVocabulary vocabulary = random_vocabulary(GetParam().vocab_size, kTaus);
  for (const ProductPrecision precision :
       {ProductPrecision::kBfloat16, ProductPrecision::kBfloat16x3}) {
    const at::Tensor ce =
        evaluate_linear_head(input.hidden, input.head, input.targets, vocabulary, precision)
            .biased_ce;
    const at::Tensor exact = biased_reference(input, vocabulary);
    EXPECT_LT(ce.sub(exact).abs().max().item<double>(), 1e-9);
  }
}

// So many groups that the rows are evaluated some blocks at a time.
TEST_P(AnyLinearCrossEntropyTest, BiasesChangeNoOtherFigure) {
  const HeadInput input = exact_input({300, 8, 30'000});
  std::vector<int64_t> counts(30'000);
  std::iota(counts.rbegin(), counts.rend(), 0);
  const auto evaluate = [&](const std::vector<double>& taus) {
    return evaluate_linear_head(input.hidden, input.head, input.targets, {counts, taus, at::kCPU},
                                ProductPrecision::kBfloat16);
  };
  const PositionEvaluations with = evaluate(kTaus);
  const PositionEvaluations without = evaluate({});
  EXPECT_FALSE(without.biased_ce.defined());
  EXPECT_TRUE(at::equal(with.ce, without.ce));
  EXPECT_TRUE(at::equal(with.is_hit, without.is_hit));
  EXPECT_TRUE(at::equal(with.band_mass, without.band_mass));
  const at::Tensor exact = biased_reference(input, {counts, kTaus, at::kCPU});
  EXPECT_LT(with.biased_ce.sub(exact).abs().max().item<double>(), 1e-9);
}

// Equal logits in one piece, and in two that different threads may see.
TEST_P(AnyLinearCrossEntropyTest, OfEqualLogitsTheFirstIsTheMostProbable) {
  HeadInput input = random_input(GetParam());
  const CountedVocabulary vocabulary = random_vocabulary(GetParam().vocab_size);
  input.head.mul_(0.1);
  const at::Tensor best = input.hidden[0].div(input.hidden[0].norm()).mul(10);
  for (const int64_t token : {700, 701, 3000}) input.head[token] = best;
  const auto hits = [&](int64_t target) {
    input.targets[0] = target;
    const PositionEvaluations output = evaluate_linear_head(
        input.hidden, input.head, input.targets, vocabulary, ProductPrecision::kBfloat16);
    return output.is_hit[0].item<bool>();
  };
  EXPECT_TRUE(hits(700));
  EXPECT_FALSE(hits(701));
  EXPECT_FALSE(hits(3000));
}

TEST_P(AnyLinearCrossEntropyTest, WhatIsNotFiniteReachesTheEvaluationOfItsRow) {
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    HeadInput input = random_input(GetParam());
    input.hidden[7][3] = value;
    const PositionEvaluations output = evaluate_linear_head(
        input.hidden, input.head, input.targets, random_vocabulary(GetParam().vocab_size, kTaus),
        ProductPrecision::kBfloat16);
    EXPECT_TRUE(output.ce[7].isnan().item<bool>()) << value;
    EXPECT_TRUE(output.biased_ce[7].isnan().all().item<bool>()) << value;
    EXPECT_FALSE(output.biased_ce[8].isnan().any().item<bool>()) << value;
    EXPECT_FALSE(output.is_hit[7].item<bool>()) << value;
    EXPECT_FALSE(output.ce[8].isnan().item<bool>()) << value;
  }
}

TEST_P(AnyLinearCrossEntropyTest, WhatIsNotFiniteInALateTokenReachesTheEvaluationOfAllRows) {
  HeadInput input = random_input(GetParam());
  input.head[3900][0] = std::numeric_limits<double>::quiet_NaN();
  const PositionEvaluations output =
      evaluate_linear_head(input.hidden, input.head, input.targets,
                           random_vocabulary(GetParam().vocab_size), ProductPrecision::kBfloat16);
  EXPECT_TRUE(output.ce.isnan().equal(input.targets.ne(kIgnoreTarget)));
  EXPECT_FALSE(output.is_hit.any().item<bool>());
}

TEST_P(AnyLinearCrossEntropyTest, RefusesWhatDoesNotFit) {
  const HeadInput input = random_input(GetParam());
  const CountedVocabulary vocabulary = random_vocabulary(GetParam().vocab_size);
  const auto evaluate = [&](const at::Tensor& targets, const CountedVocabulary& of_tokens) {
    evaluate_linear_head(input.hidden, input.head, targets, of_tokens, ProductPrecision::kBfloat16);
  };
  EXPECT_THROW(evaluate(input.targets.narrow(0, 1, 9), vocabulary), Error);
  EXPECT_THROW(evaluate(input.targets.to(at::kInt), vocabulary), Error);
  EXPECT_THROW(evaluate(input.targets.add(GetParam().vocab_size), vocabulary), Error);
  EXPECT_THROW(evaluate(input.targets, random_vocabulary(9)), Error);
  HeadInput fewer_weights = input;
  fewer_weights.weights = input.weights.narrow(0, 1, 9);
  EXPECT_THROW(compute(fewer_weights, ProductPrecision::kBfloat16), Error);
}

TEST_P(AnyLinearCrossEntropyTest, AddsToTheGradientOfTheHeadAndToNothingElse) {
  const HeadInput input = random_input(GetParam());
  const HeadOutput once = compute(input, ProductPrecision::kBfloat16);
  const at::Tensor wider = at::ones({input.head.size(0), input.head.size(1) + 3});
  const at::Tensor sum = wider.narrow(1, 1, input.head.size(1));
  const at::Tensor hidden_gradient = at::empty_like(input.hidden);
  linear_cross_entropy_gradient(input.hidden, input.head, input.targets, input.weights,
                                input.weight_sum, ProductPrecision::kBfloat16, hidden_gradient,
                                {sum, /*adds=*/true});
  EXPECT_TRUE(at::equal(hidden_gradient, once.hidden_gradient));
  EXPECT_LT(distance(sum.sub(1), once.head_gradient.to(at::kDouble)), 1e-4);
  EXPECT_TRUE(wider.narrow(1, 0, 1).eq(1).all().item<bool>());
  EXPECT_TRUE(wider.narrow(1, input.head.size(1) + 1, 2).eq(1).all().item<bool>());
}

TEST_P(AnyLinearCrossEntropyTest, AFixedHeadInBfloat16GivesTheSame) {
  HeadInput input = random_input(GetParam());
  const HeadOutput expected = compute(input, ProductPrecision::kBfloat16);
  const at::Tensor hidden_gradient = at::empty_like(input.hidden);
  const CrossEntropySums sums = linear_cross_entropy_gradient(
      input.hidden, input.head.to(at::kBFloat16), input.targets, input.weights, input.weight_sum,
      ProductPrecision::kBfloat16, hidden_gradient, {});
  EXPECT_EQ(sums.weighted_sum.item<double>(), expected.weighted_sum);
  EXPECT_TRUE(at::equal(hidden_gradient, expected.hidden_gradient));
}

TEST_P(AnyLinearCrossEntropyTest, NoPositionsGiveNoLossAndNoGradient) {
  HeadInput input = random_input(GetParam());
  input.hidden = input.hidden.narrow(0, 0, 0);
  input.targets = input.targets.narrow(0, 0, 0);
  const HeadOutput output = compute(input, ProductPrecision::kBfloat16);
  EXPECT_EQ(output.ce_sum, 0);
  EXPECT_TRUE(output.head_gradient.eq(0).all().item<bool>());
  const PositionEvaluations evaluation = evaluate_linear_head(
      input.hidden, input.head, input.targets, random_vocabulary(GetParam().vocab_size, kTaus),
      ProductPrecision::kBfloat16);
  EXPECT_EQ(evaluation.ce.numel(), 0);
  EXPECT_EQ(evaluation.biased_ce.sizes(), at::IntArrayRef({0, std::ssize(kTaus)}));
  EXPECT_TRUE(evaluation.band_mass.eq(0).all().item<bool>());
}

// Logits of thousands: all but the largest have no probability.
TEST_P(AnyLinearCrossEntropyTest, LargeLogitsGiveFiniteLosses) {
  const HeadInput input = random_input(GetParam(), /*size=*/1000);
  expect_near(compute(input, ProductPrecision::kBfloat16), reference(input, rounded), 1e-6, 5e-3);
}

// So that the reference of a sum is raised in each piece, or in each tile of some tokens. There are
// more pieces than parts.
TEST_P(AnyLinearCrossEntropyTest, TakesLogitsThatGrowAlongTheVocabulary) {
  for (const double slope : {0.0625, 1.0, -1.0}) {
    SCOPED_TRACE(slope);
    HeadInput input = exact_input({60, 8, 9000});
    input.hidden.select(1, 0).fill_(1);
    input.head.select(1, 0).copy_(rounded(at::arange(input.head.size(0)).mul(slope)));
    expect_near(compute(input, ProductPrecision::kBfloat16), reference(input, rounded), 1e-6, 5e-3);
    const CountedVocabulary vocabulary = random_vocabulary(input.head.size(0), kTaus);
    const PositionEvaluations output = evaluate_linear_head(
        input.hidden, input.head, input.targets, vocabulary, ProductPrecision::kBfloat16);
    expect_near(output, reference_evaluation(input, vocabulary, rounded), 1e-6);
    EXPECT_LT(output.biased_ce.sub(biased_reference(input, vocabulary)).abs().max().item<double>(),
              1e-8);
  }
}

// More rows than are differentiated at once.
TEST_P(AnyLinearCrossEntropyTest, DifferentiatesRowsInSeveralSteps) {
  const HeadInput input = random_input({600, 4096, 500});
  expect_near(compute(input, ProductPrecision::kBfloat16), reference(input, rounded), 1e-6, 1e-3);
}

// Tokens without a weight.
TEST_P(AnyLinearCrossEntropyTest, AWeightOfZeroGivesNoGradient) {
  HeadInput input = random_input(GetParam());
  input.weights.masked_fill_(at::arange(input.weights.size(0)).remainder(3).eq(0), 0);
  const HeadOutput output = compute(input, ProductPrecision::kBfloat16);
  expect_near(output, reference(input, rounded), 1e-6, 1e-3);
  const at::Tensor without = input.targets.remainder(3).eq(0).logical_and(input.targets.ge(0));
  EXPECT_GT(without.sum().item<int64_t>(), 0);
  EXPECT_TRUE(output.hidden_gradient.index({without}).eq(0).all().item<bool>());
}

TEST_P(AnyLinearCrossEntropyTest, WhatIsNotFiniteReachesTheLoss) {
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    HeadInput input = random_input(GetParam());
    input.hidden[7][3] = value;
    const HeadOutput output = compute(input, ProductPrecision::kBfloat16);
    EXPECT_TRUE(std::isnan(output.ce_sum)) << value;
    EXPECT_TRUE(output.hidden_gradient[7].isnan().all().item<bool>()) << value;
    EXPECT_FALSE(output.hidden_gradient[8].isnan().any().item<bool>()) << value;
  }
}

}  // namespace
}  // namespace pdl
