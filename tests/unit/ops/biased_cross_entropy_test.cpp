#include "pdl/ops/biased_cross_entropy.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/ops/ignore_target.h"

namespace pdl {
namespace {

const std::vector<double> kTaus = {-1, -0.25, 0, 0.5, 1, 40};

struct Problem {
  explicit Problem(at::ScalarType dtype) {
    at::manual_seed(3);
    counts.assign(1000, 0);
    for (size_t i = 0; i < 300; ++i)
      counts[i * 3] = static_cast<int64_t>(i % 50 == 0 ? 1'000'000'000 : i % 17);
    logits = at::randn({3, 5, 1000}).mul_(6).to(dtype);
    targets = at::randint(1000, {3, 5}, at::kLong);
    targets[1][2] = kIgnoreTarget;
  }
  at::Tensor exact() const {
    at::Tensor logs = at::empty({1000}, at::kDouble);
    for (int64_t i = 0; i < 1000; ++i)
      logs[i] = std::log(static_cast<double>(counts[static_cast<size_t>(i)]) + 1);
    std::vector<at::Tensor> columns;
    for (const double tau : kTaus) {
      const at::Tensor biased = logits.to(at::kDouble).add(logs.mul(tau));
      const at::Tensor y = targets.clamp_min(0).unsqueeze(-1);
      const at::Tensor ce = at::logsumexp(biased, -1) - biased.gather(-1, y).squeeze(-1);
      columns.push_back(ce.masked_fill(targets.eq(kIgnoreTarget), 0).reshape(-1));
    }
    return at::stack(columns, 1);
  }

  std::vector<int64_t> counts;
  at::Tensor logits;
  at::Tensor targets;
};

// float32 and bfloat16 have kernels, float16 takes ATen's operators.
TEST(BiasedCrossEntropyTest, IsTheLogSumExpOfBiasedLogits) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const Problem problem(dtype);
    const TokenBiases biases(problem.counts, kTaus, at::kCPU);
    const at::Tensor ce = biased_cross_entropy(problem.logits, problem.targets, biases);
    ASSERT_EQ(ce.sizes(), (std::vector<int64_t>{15, 6}));
    EXPECT_LT(ce.sub(problem.exact()).abs().max().item<double>(), 1e-9) << dtype;
    const at::Tensor strided = at::cat({problem.logits, problem.logits}, 2).narrow(2, 0, 1000);
    EXPECT_TRUE(at::equal(biased_cross_entropy(strided, problem.targets, biases), ce));
  }
}

TEST(BiasedCrossEntropyTest, OneCountChangesNothing) {
  Problem problem(at::kFloat);
  problem.counts.assign(1000, 77);
  const at::Tensor ce = biased_cross_entropy(problem.logits, problem.targets,
                                             TokenBiases(problem.counts, kTaus, at::kCPU));
  EXPECT_LT(ce.sub(ce.narrow(1, 2, 1)).abs().max().item<double>(), 1e-12);
}

TEST(BiasedCrossEntropyTest, NanStaysInItsPosition) {
  const Problem problem(at::kFloat);
  problem.logits[0][1][5] = NAN;
  problem.logits[0][2][5] = INFINITY;
  const at::Tensor ce = biased_cross_entropy(problem.logits, problem.targets,
                                             TokenBiases(problem.counts, kTaus, at::kCPU));
  EXPECT_EQ(ce.isnan().sum().item<int64_t>(), 2 * std::ssize(kTaus));
  EXPECT_TRUE(ce[1].isnan().all().item<bool>());
  EXPECT_TRUE(ce[2].isnan().all().item<bool>());
}

TEST(BiasedCrossEntropyTest, NoPositionsAndOtherShapes) {
  const Problem problem(at::kFloat);
  const TokenBiases biases(problem.counts, kTaus, at::kCPU);
  const at::Tensor none =
      biased_cross_entropy(problem.logits.narrow(1, 0, 0), problem.targets.narrow(1, 0, 0), biases);
  EXPECT_EQ(none.sizes(), (std::vector<int64_t>{0, 6}));
  EXPECT_THROW(biased_cross_entropy(problem.logits.narrow(2, 0, 9), problem.targets, biases),
               Error);
  EXPECT_THROW(biased_cross_entropy(problem.logits, problem.targets.add(1000), biases), Error);
}

}  // namespace
}  // namespace pdl
