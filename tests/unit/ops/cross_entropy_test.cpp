#include "pdl/ops/cross_entropy.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <functional>
#include <limits>

#include "pdl/base/error.h"
#include "pdl/batches/batch.h"

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

  at::Tensor weight_sum() const { return sum_target_weights(targets, weights).weight_sum; }
};

// Gradient of Σ w·ce / Σ w.
at::Tensor mean_gradient(const Example& example, const at::Tensor& weights) {
  example.logits.mutable_grad().reset();
  weighted_cross_entropy(example.logits, example.targets, weights,
                         sum_target_weights(example.targets, weights).weight_sum)
      .loss.backward();
  return example.logits.grad().clone();
}

// Computes the definition, token by token in float64.
TEST(CrossEntropyTest, IsTheDefinition) {
  const Example example;
  const LossTerms terms = weighted_cross_entropy(example.logits, example.targets, example.weights,
                                                 example.weight_sum());
  const at::Tensor gradient = mean_gradient(example, example.weights);
  const at::Tensor logits = example.logits.detach().to(at::kDouble);
  const double weight_sum = example.weight_sum().item<double>();
  double expected_weighted = 0;
  double expected_weights = 0;
  double expected_ce = 0;
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
  EXPECT_EQ(terms.loss.item<double>(), terms.weighted_sum.item<double>() / weight_sum);
}

TEST(CrossEntropyTest, AtAlphaZeroItIsPlainCrossEntropy) {
  const Example example;
  const at::Tensor ones = at::ones({17});
  const at::Tensor num_tokens = example.targets.ne(kIgnoreTarget).sum().to(at::kDouble);
  const LossTerms terms = weighted_cross_entropy(example.logits, example.targets, ones, num_tokens);
  EXPECT_EQ(terms.weighted_sum.item<double>(), terms.ce_sum.item<double>());
  EXPECT_EQ(sum_target_weights(example.targets, ones).weight_sum.item<double>(),
            num_tokens.item<double>());

  const at::Tensor gradient = mean_gradient(example, ones);
  example.logits.mutable_grad().reset();
  const at::Tensor mean =
      at::cross_entropy_loss(example.logits.reshape({-1, 17}), example.targets.reshape(-1), {},
                             at::Reduction::Mean, kIgnoreTarget);
  mean.backward();
  EXPECT_TRUE(gradient.allclose(example.logits.grad(), 1e-5, 1e-9));
  EXPECT_NEAR(terms.loss.item<double>(), mean.item<double>(), 1e-6);
}

TEST(CrossEntropyTest, ScalingTheWeightsChangesNothing) {
  const Example example;
  const at::Tensor gradient = mean_gradient(example, example.weights);
  for (const double factor : {1e-6, 3.0, 1e6}) {
    const at::Tensor scaled = mean_gradient(example, example.weights.mul(factor));
    EXPECT_TRUE(scaled.allclose(gradient, 1e-6, 1e-10)) << factor;
  }
}

TEST(CrossEntropyTest, IgnoredTargetsCountNothingAndTheirLogitsAreNotRead) {
  const Example example;
  const at::Tensor gradient = mean_gradient(example, example.weights);
  EXPECT_EQ(gradient[0][4].abs().max().item<double>(), 0);
  const Example poisoned;
  poisoned.logits.detach()[0][4].fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(at::equal(mean_gradient(poisoned, poisoned.weights), gradient));

  const at::Tensor ignored = at::full({3, 5}, kIgnoreTarget, at::kLong);
  const LossTerms terms =
      weighted_cross_entropy(example.logits, ignored, example.weights, example.weight_sum());
  example.logits.mutable_grad().reset();
  terms.loss.backward();
  EXPECT_EQ(terms.weighted_sum.item<double>(), 0);
  EXPECT_EQ(terms.ce_sum.item<double>(), 0);
  EXPECT_EQ(example.logits.grad().abs().max().item<double>(), 0);
}

// A bfloat16 logit has an exact float32 value, so the loss is the same, and only the gradient is
// rounded.
TEST(CrossEntropyTest, LowPrecisionLogitsAreSummedInFloat32) {
  Example low;
  low.logits = low.logits.detach().to(at::kBFloat16).set_requires_grad(true);
  Example full;
  full.logits = low.logits.detach().to(at::kFloat).set_requires_grad(true);
  const auto loss = [](const Example& example) {
    return weighted_cross_entropy(example.logits, example.targets, example.weights,
                                  example.weight_sum())
        .weighted_sum.item<double>();
  };
  EXPECT_NEAR(loss(low), loss(full), 1e-6 * loss(full));  // bfloat16 sums would be 1e-3 off
  EXPECT_TRUE(mean_gradient(low, low.weights)
                  .to(at::kFloat)
                  .allclose(mean_gradient(full, full.weights), 0.004, 1e-9));
}

TEST(CrossEntropyTest, AnIncomingGradientScales) {
  const Example example;
  const at::Tensor gradient = mean_gradient(example, example.weights);
  example.logits.mutable_grad().reset();
  weighted_cross_entropy(example.logits, example.targets, example.weights, example.weight_sum())
      .loss.mul(3)
      .backward();
  EXPECT_TRUE(example.logits.grad().allclose(gradient.mul(3), 1e-6, 1e-10));
}

// ------------------------------------------------------------------ who holds the logits' memory

// How a model may end, from hidden [3, 5, 8] and a head [8, 17].
using Ending = std::function<at::Tensor(const at::Tensor& hidden, const at::Tensor& head)>;

struct EndingCase {
  const char* name;
  bool overwritten;  // whether the gradient may be written over the logits
  Ending logits;
};

const std::vector<EndingCase>& endings() {
  static const std::vector<EndingCase> cases{
      {"product", true, [](const auto& hidden, const auto& head) { return hidden.matmul(head); }},
      {"bias", true,
       [](const auto& hidden, const auto& head) { return hidden.matmul(head) + head[0]; }},
      {"view", true,
       [](const auto& hidden, const auto& head) {
         return hidden.reshape({15, 8}).mm(head).view({3, 5, 17});
       }},
      {"softcap", true,
       [](const auto& hidden, const auto& head) { return at::tanh(hidden.matmul(head) / 3) * 3; }},
      {"bfloat16", true,
       [](const auto& hidden, const auto& head) { return hidden.matmul(head).to(at::kBFloat16); }},
      {"cut", true,
       [](const auto& hidden, const auto& head) {
         return hidden.matmul(at::cat({head, head}, 1)).narrow(2, 0, 17);
       }},
      {"tanh", false,
       [](const auto& hidden, const auto& head) { return at::tanh(hidden.matmul(head)); }},
      {"relu", false,
       [](const auto& hidden, const auto& head) { return hidden.matmul(head).relu(); }},
      {"log_softmax", false,
       [](const auto& hidden, const auto& head) {
         return at::log_softmax(hidden.matmul(head), -1);
       }},
      {"view of tanh", false,
       [](const auto& hidden, const auto& head) {
         return at::tanh(hidden.reshape({15, 8}).mm(head)).view({3, 5, 17});
       }},
      {"transposed", false,
       [](const auto& hidden, const auto& head) {
         return head.t().matmul(hidden.transpose(1, 2)).transpose(1, 2);
       }},
      {"expanded", false,
       [](const auto& hidden, const auto& head) {
         return hidden.matmul(head).narrow(1, 0, 1).expand({3, 5, 17});
       }},
  };
  return cases;
}

struct EndingGradients {
  at::Tensor hidden;
  at::Tensor head;
};

EndingGradients gradients_of(const std::function<void(const at::Tensor&, const at::Tensor&)>& run) {
  at::manual_seed(3);
  const at::Tensor hidden = at::randn({3, 5, 8}).set_requires_grad(true);
  const at::Tensor head = at::randn({8, 17}).set_requires_grad(true);
  run(hidden, head);
  return {hidden.grad(), head.grad()};
}

TEST(CrossEntropyTest, EveryEndingOfAModelGetsTheGradientOfAten) {
  const Example example;
  for (const EndingCase& ending : endings()) {
    const auto ours = gradients_of([&](const at::Tensor& hidden, const at::Tensor& head) {
      weighted_cross_entropy(ending.logits(hidden, head), example.targets, example.weights,
                             example.weight_sum())
          .loss.backward();
    });
    const auto expected = gradients_of([&](const at::Tensor& hidden, const at::Tensor& head) {
      const at::Tensor logits = ending.logits(hidden, head).to(at::kFloat).reshape({15, 17});
      const at::Tensor ce = at::cross_entropy_loss(
          logits, example.targets.reshape(-1), example.weights, at::Reduction::Sum, kIgnoreTarget);
      ce.div(example.weight_sum()).backward();
    });
    const double tolerance = std::string(ending.name) == "bfloat16" ? 0.01 : 1e-5;
    for (const auto& [ours_one, expected_one] :
         {std::pair(ours.hidden, expected.hidden), std::pair(ours.head, expected.head)}) {
      const auto scale = expected_one.abs().max().item<double>();
      EXPECT_LE(ours_one.sub(expected_one).abs().max().item<double>(), tolerance * scale)
          << ending.name;
    }
  }
}

// Shown by the address of the gradient.
TEST(CrossEntropyTest, TheGradientIsWrittenOverLogitsThatNobodyElseHolds) {
  const Example example;
  for (const EndingCase& ending : endings()) {
    const void* gradient_memory = nullptr;
    const void* logits_memory = nullptr;
    gradients_of([&](const at::Tensor& hidden, const at::Tensor& head) {
      at::Tensor logits = ending.logits(hidden, head);
      logits_memory = logits.const_data_ptr();
      logits.register_hook(
          [&](const at::Tensor& gradient) { gradient_memory = gradient.const_data_ptr(); });
      weighted_cross_entropy(std::move(logits), example.targets, example.weights,
                             example.weight_sum())
          .loss.backward();
    });
    EXPECT_EQ(gradient_memory == logits_memory, ending.overwritten) << ending.name;
  }
}

TEST(CrossEntropyTest, LogitsThatTheCallerKeepsAreLeftAlone) {
  const Example example;
  gradients_of([&](const at::Tensor& hidden, const at::Tensor& head) {
    const at::Tensor logits = hidden.matmul(head);
    const at::Tensor before = logits.detach().clone();
    weighted_cross_entropy(logits, example.targets, example.weights, example.weight_sum())
        .loss.backward();
    EXPECT_TRUE(at::equal(logits, before));
  });
  gradients_of([&](const at::Tensor& hidden, const at::Tensor& head) {
    at::Tensor logits = hidden.matmul(head);
    const at::Tensor kept = logits.detach();  // another tensor of the same memory
    const at::Tensor before = kept.clone();
    weighted_cross_entropy(std::move(logits), example.targets, example.weights,
                           example.weight_sum())
        .loss.backward();
    EXPECT_TRUE(at::equal(kept, before));
  });
}

int64_t peak_memory_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(CrossEntropyTest, ItTakesLessThanAMegabyteAThreadBesideTheLogits) {
  constexpr int64_t kRows = 1024;
  constexpr int64_t kVocab = 32000;
  const at::Tensor targets = at::randint(0, kVocab, {1, kRows}, at::kLong);
  const at::Tensor weights = at::ones({kVocab});
  const at::Tensor weight_sum = sum_target_weights(targets, weights).weight_sum;
  for (const at::ScalarType dtype : {at::kBFloat16, at::kFloat}) {
    const at::Tensor hidden = at::randn({1, kRows, 1}).to(dtype).set_requires_grad(true);
    at::Tensor logits = hidden.mul(at::ones({kVocab}, dtype));
    const int64_t before = peak_memory_kib();
    const LossTerms terms = weighted_cross_entropy(std::move(logits), targets, weights, weight_sum);
    EXPECT_LT(peak_memory_kib() - before, 1024 * at::get_num_threads()) << dtype;
  }
}

// ------------------------------------------------------------------ threads, other dtypes

TEST(CrossEntropyTest, ThreadsChangeNoBit) {
  at::manual_seed(4);
  const at::Tensor logits = at::randn({7, 9, 1031});
  const at::Tensor targets = at::randint(0, 1031, {7, 9}, at::kLong);
  const at::Tensor weights = at::randn({1031}).exp();
  const at::Tensor weight_sum = sum_target_weights(targets, weights).weight_sum;
  const int before = at::get_num_threads();
  at::Tensor first_gradient;
  double first_loss = 0;
  for (const int threads : {1, 2, 3, 8}) {
    at::set_num_threads(threads);
    const at::Tensor leaf = logits.clone().set_requires_grad(true);
    const LossTerms terms = weighted_cross_entropy(leaf, targets, weights, weight_sum);
    terms.loss.backward();
    if (threads == 1) {
      first_gradient = leaf.grad();
      first_loss = terms.loss.item<double>();
    }
    EXPECT_TRUE(at::equal(leaf.grad(), first_gradient)) << threads;
    EXPECT_EQ(terms.loss.item<double>(), first_loss) << threads;
  }
  at::set_num_threads(before);
}

// Rounding depends on where in a cache line a row begins. LibTorch's tensors begin at the start of
// one, so that a resumed run has the bits of an uninterrupted one.
TEST(CrossEntropyTest, WhereTheMemoryLiesChangesNoBit) {
  const Example example;
  const at::Tensor gradient = mean_gradient(example, example.weights);
  std::vector<at::Tensor> others;
  for (int64_t size = 1; size < 200; size += 7) {
    others.push_back(at::zeros({size}));  // moves what is allocated next
    const Example elsewhere;
    EXPECT_TRUE(at::equal(mean_gradient(elsewhere, elsewhere.weights), gradient));
  }
}

// The error against float64, to be compared with that of ATen in the same dtype, over weights from
// 1e-6 to 1e6.
struct Errors {
  double loss;      // relative
  double gradient;  // of its largest element
};

Errors errors_of(const at::Tensor& logits, const at::Tensor& targets, const at::Tensor& weights,
                 bool with_aten) {
  const at::Tensor exact_logits = logits.to(at::kDouble).set_requires_grad(true);
  const at::Tensor exact =
      at::cross_entropy_loss(exact_logits.view({-1, logits.size(2)}), targets.reshape(-1),
                             weights.to(at::kDouble), at::Reduction::Mean, kIgnoreTarget);
  exact.backward();
  const at::Tensor leaf = logits.clone().set_requires_grad(true);
  at::Tensor loss;
  if (with_aten) {
    loss = at::cross_entropy_loss(leaf.view({-1, logits.size(2)}), targets.reshape(-1),
                                  weights.to(logits.scalar_type()), at::Reduction::Mean,
                                  kIgnoreTarget);
  } else {
    loss = weighted_cross_entropy(leaf, targets, weights,
                                  sum_target_weights(targets, weights).weight_sum)
               .loss;
  }
  loss.backward();
  const at::Tensor difference = leaf.grad().to(at::kDouble).sub(exact_logits.grad());
  const double largest = std::max(exact_logits.grad().abs().max().item<double>(), 1e-300);
  const double exact_loss = exact.item<double>();
  return {std::abs(loss.item<double>() - exact_loss) / std::max(std::abs(exact_loss), 1e-300),
          difference.abs().max().item<double>() / largest};
}

TEST(CrossEntropyTest, ItsErrorIsNotAboveThatOfAten) {
  at::manual_seed(11);
  for (const int64_t width : {1, 2, 7, 17, 1000, 1031, 32000, 50257}) {
    const int64_t rows = width > 10000 ? 100 : 1024;
    for (const double spread : {1.0, 4.0, 20.0}) {
      for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
        const at::Tensor logits = at::randn({1, rows, width}).mul(spread).to(dtype);
        const at::Tensor targets = at::randint(0, width, {1, rows}, at::kLong);
        const at::Tensor weights =
            at::randn({width}).mul(4.6).clamp(-13.8, 13.8).exp().to(dtype).to(at::kFloat);
        const Errors ours = errors_of(logits, targets, weights, false);
        const Errors aten = errors_of(logits, targets, weights, true);
        // Both round the result to its dtype, so half a unit of the last place is allowed.
        const double rounding = dtype == at::kFloat ? 0x1p-24 : 0x1p-9;
        EXPECT_LE(ours.loss, aten.loss + 0x1p-24) << width << ' ' << spread << ' ' << dtype;
        EXPECT_LE(ours.gradient, aten.gradient + rounding)
            << width << ' ' << spread << ' ' << dtype;
      }
    }
  }
}

// The path of devices and dtypes without their own kernels.
TEST(CrossEntropyTest, Float16AgreesWithFloat32) {
  Example half;
  half.logits = half.logits.detach().to(at::kHalf).set_requires_grad(true);
  Example full;
  full.logits = half.logits.detach().to(at::kFloat).set_requires_grad(true);
  EXPECT_TRUE(mean_gradient(half, half.weights)
                  .to(at::kFloat)
                  .allclose(mean_gradient(full, full.weights), 0.001, 1e-7));
}

TEST(CrossEntropyTest, TheSumsOfTheTargetsAreTheirDefinition) {
  const Example example;
  const TargetWeightSums equal = sum_target_weights(example.targets, at::full({17}, 0.5));
  EXPECT_EQ(equal.weight_sum.item<double>(), 0.5 * 13);
  EXPECT_EQ(equal.square_sum.item<double>(), 0.25 * 13);
}

TEST(CrossEntropyTest, ShapesThatDisagreeAndTargetsOutOfRangeAreErrors) {
  const Example example;
  const auto loss = [&](const at::Tensor& targets, const at::Tensor& weights) {
    weighted_cross_entropy(example.logits, targets, weights, example.weight_sum());
  };
  EXPECT_THROW(loss(example.targets, at::ones({16})), Error);
  EXPECT_THROW(loss(at::zeros({3, 4}, at::kLong), example.weights), Error);
  EXPECT_THROW(loss(at::zeros({3, 5}), example.weights), Error);
  EXPECT_THROW(loss(at::full({3, 5}, 17, at::kLong), example.weights), Error);
  EXPECT_THROW(loss(at::full({3, 5}, -1, at::kLong), example.weights), Error);
}

}  // namespace
}  // namespace pdl
