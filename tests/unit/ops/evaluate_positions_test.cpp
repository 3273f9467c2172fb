#include "pdl/ops/evaluate_positions.h"

#include <ATen/Context.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <optional>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/batches/batch.h"
#include "pdl/frequency/bands.h"

namespace pdl {
namespace {

// Counts of all frequency bands.
CountedVocabulary random_vocabulary(int64_t size) {
  std::vector<int64_t> counts;
  const at::Tensor bands = at::randint(0, 7, {size}, at::kLong);
  const auto* band = bands.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < size; ++i)
    counts.push_back(kFrequencyBands.at(static_cast<size_t>(band[i])).min_count + i % 3);
  return {counts, /*taus=*/{}, at::kCPU};
}

struct Example {
  at::Tensor logits;
  at::Tensor targets;
  std::optional<CountedVocabulary> vocabulary;

  explicit Example(at::ScalarType dtype) {
    at::manual_seed(1);
    logits = at::randn({3, 5, 1031}).mul(3).to(dtype);
    targets = at::randint(0, 1031, {3, 5}, at::kLong);
    targets[1][2] = logits[1][2].argmax();
    targets[0][4] = kIgnoreTarget;
    vocabulary = random_vocabulary(1031);
  }
};

void expect_definition(const Example& example) {
  const at::Tensor before = example.logits.clone();
  const PositionEvaluations rows =
      evaluate_positions(example.logits, example.targets, *example.vocabulary);
  EXPECT_TRUE(at::equal(example.logits, before));
  const at::Tensor log_softmax =
      at::log_softmax(example.logits.to(at::kDouble).reshape({15, 1031}), -1);
  at::Tensor mass = at::zeros({8}, at::kDouble);
  for (int64_t row = 0; row < 15; ++row) {
    const auto y = example.targets.reshape(-1)[row].item<int64_t>();
    if (y == kIgnoreTarget) {
      EXPECT_EQ(rows.ce[row].item<double>(), 0);
      EXPECT_FALSE(rows.is_hit[row].item<bool>());
      continue;
    }
    EXPECT_NEAR(rows.ce[row].item<double>(), -log_softmax[row][y].item<double>(), 1e-5);
    EXPECT_EQ(rows.is_hit[row].item<bool>(), log_softmax[row].argmax().item<int64_t>() == y);
    mass.index_add_(0, example.vocabulary->bands.to(at::kLong), log_softmax[row].exp());
  }
  EXPECT_TRUE(rows.band_mass.allclose(mass, 1e-5, 1e-6));
  EXPECT_GT(rows.is_hit.sum().item<int64_t>(), 0);
}

TEST(EvaluatePositionsTest, IsTheDefinition) {
  expect_definition(Example(at::kFloat));
  expect_definition(Example(at::kBFloat16));
}

// The path of devices and dtypes without their own kernels.
TEST(EvaluatePositionsTest, IsTheDefinitionInFloat16) { expect_definition(Example(at::kHalf)); }

TEST(EvaluatePositionsTest, ReadsLogitsOfAnyLayout) {
  Example example(at::kFloat);
  example.logits = example.logits.transpose(0, 1).contiguous().transpose(0, 1);
  expect_definition(example);
  example.logits = example.logits.transpose(1, 2).contiguous().transpose(1, 2);
  expect_definition(example);
}

// Rows are more than 2^31 elements apart; pages that are not touched take no memory.
TEST(EvaluatePositionsTest, AddressesBeyondTwoToThe31Elements) {
  constexpr int64_t kStride = (int64_t{1} << 30) + 5;
  constexpr int64_t kWidth = 1000;
  const size_t bytes = static_cast<size_t>(2 * kStride + kWidth) * sizeof(float);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  {
    const at::Tensor far =
        at::from_blob(memory, {1, 3, kWidth}, {3 * kStride, kStride, 1}, at::dtype(at::kFloat));
    at::manual_seed(1);
    far.copy_(at::randn({1, 3, kWidth}));
    const at::Tensor targets = at::randint(0, kWidth, {1, 3}, at::kLong);
    const CountedVocabulary vocabulary = random_vocabulary(kWidth);
    const PositionEvaluations rows = evaluate_positions(far, targets, vocabulary);
    const PositionEvaluations near = evaluate_positions(far.contiguous(), targets, vocabulary);
    EXPECT_TRUE(rows.ce.allclose(near.ce, 1e-6));
    EXPECT_TRUE(rows.band_mass.allclose(near.band_mass, 1e-6));
  }
  munmap(memory, bytes);
}

TEST(EvaluatePositionsTest, ShapesThatDisagreeAreAnError) {
  const Example example(at::kFloat);
  EXPECT_THROW(evaluate_positions(example.logits, example.targets, random_vocabulary(9)), Error);
}

}  // namespace
}  // namespace pdl
