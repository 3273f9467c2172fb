#include "pdl/ops/rotary.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace pdl {
namespace {

RotaryAngles angles_of(const RotarySpec& spec, const at::Tensor& positions) {
  return rotary_angles(positions, rotary_frequencies(spec, at::kCPU), spec.interleaved);
}

class RotaryTest : public testing::TestWithParam<bool> {};

// Each pair (a, b) becomes (a cos - b sin, a sin + b cos); what is not rotated stays.
TEST_P(RotaryTest, TurnsPairsByPositionTimesFrequency) {
  const RotarySpec spec{.theta = 100, .dims = 6, .interleaved = GetParam()};
  const at::Tensor before = at::randn({2, 5, 3, 8});
  const at::Tensor x = before.clone();
  rotate(x, angles_of(spec, at::arange(5, at::kLong).unsqueeze(0)));
  for (int64_t t = 0; t < 5; ++t) {
    for (int64_t i = 0; i < 3; ++i) {
      const int64_t first = GetParam() ? 2 * i : i;
      const int64_t second = GetParam() ? 2 * i + 1 : i + 3;
      const double angle =
          static_cast<double>(t) * std::pow(100.0, -2.0 * static_cast<double>(i) / 6);
      const double a = before[1][t][2][first].item<double>();
      const double b = before[1][t][2][second].item<double>();
      EXPECT_NEAR(x[1][t][2][first].item<double>(), a * std::cos(angle) - b * std::sin(angle),
                  1e-5);
      EXPECT_NEAR(x[1][t][2][second].item<double>(), a * std::sin(angle) + b * std::cos(angle),
                  1e-5);
    }
  }
  EXPECT_TRUE(at::equal(x.narrow(3, 6, 2), before.narrow(3, 6, 2)));
}

// float32 is what the kernel takes, float64 what ATen's operators do.
TEST_P(RotaryTest, TheKernelAgreesWithOperators) {
  const RotarySpec spec{.dims = 6, .interleaved = GetParam()};
  RotaryAngles angles = angles_of(spec, at::randint(0, 1000, {2, 9}, at::kLong));
  // Heads that lie in wider rows.
  const at::Tensor x = at::randn({2, 9, 5, 8}).narrow(2, 1, 3);
  const at::Tensor exact = x.to(at::kDouble);
  rotate(x, angles);
  rotate(exact, {angles.cos.to(at::kDouble), angles.sin.to(at::kDouble), angles.interleaved});
  EXPECT_LT(x.sub(exact).abs().max().item<double>(), 1e-6);
  rotate_back(x, angles);
  rotate_back(exact, {angles.cos.to(at::kDouble), angles.sin.to(at::kDouble), angles.interleaved});
  EXPECT_LT(x.sub(exact).abs().max().item<double>(), 1e-6);
}

// Angles of float64 make it ATen's operators.
TEST_P(RotaryTest, Bfloat16IsRoundedOnce) {
  const RotarySpec spec{.dims = 38, .interleaved = GetParam()};
  const RotaryAngles angles = angles_of(spec, at::randint(0, 1000, {2, 9}, at::kLong));
  const at::Tensor x = at::randn({2, 9, 5, 40}).to(at::kBFloat16).narrow(2, 1, 3);
  const at::Tensor exact = x.to(at::kFloat);
  rotate(x, angles);
  rotate(exact, angles);
  const at::Tensor error = x.to(at::kFloat).sub(exact).abs();
  EXPECT_LE(error.sub(exact.abs().mul(0x1.01p-8)).max().item<double>(), 1e-7);
}

TEST_P(RotaryTest, RotatingBackUndoesIt) {
  const RotarySpec spec{.dims = 8, .interleaved = GetParam()};
  const at::Tensor before = at::randn({2, 9, 2, 8});
  const at::Tensor x = before.clone();
  const RotaryAngles angles = angles_of(spec, at::randint(0, 1000, {2, 9}, at::kLong));
  rotate(x, angles);
  EXPECT_GT(x.sub(before).abs().max().item<double>(), 0.1);
  rotate_back(x, angles);
  EXPECT_LT(x.sub(before).abs().max().item<double>(), 1e-5);
}

// What attention sees of two positions depends on their distance alone.
TEST_P(RotaryTest, ProductsDependOnDistance) {
  const RotarySpec spec{.dims = 8, .interleaved = GetParam()};
  const at::Tensor q = at::randn({8});
  const at::Tensor k = at::randn({8});
  const auto product = [&](int64_t query, int64_t key) {
    const at::Tensor both = at::stack({q, k}).view({1, 2, 1, 8}).clone();
    rotate(both, angles_of(spec, at::tensor({query, key}).unsqueeze(0)));
    return both[0][0][0].dot(both[0][1][0]).item<double>();
  };
  EXPECT_NEAR(product(7, 3), product(104, 100), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Layouts, RotaryTest, testing::Bool());

TEST(RotaryFrequenciesTest, LinearDividesAll) {
  const RotarySpec plain{.dims = 16};
  RotarySpec linear = plain;
  linear.type = RotaryType::kLinear;
  linear.factor = 4;
  EXPECT_TRUE(
      at::equal(rotary_frequencies(linear, at::kCPU).mul(4), rotary_frequencies(plain, at::kCPU)));
}

// Llama 3 leaves short waves alone and stretches long ones.
TEST(RotaryFrequenciesTest, Llama3StretchesLongWaves) {
  const RotarySpec plain{.theta = 5e5, .dims = 64};
  RotarySpec scaled = plain;
  scaled.type = RotaryType::kLlama3;
  scaled.factor = 8;
  scaled.original_max_positions = 8192;
  const at::Tensor ratio =
      rotary_frequencies(plain, at::kCPU).div(rotary_frequencies(scaled, at::kCPU));
  EXPECT_EQ(ratio[0].item<float>(), 1);
  EXPECT_NEAR(ratio[31].item<float>(), 8, 1e-5);
  EXPECT_TRUE(ratio.slice(0, 1).ge(ratio.slice(0, 0, 31)).all().item<bool>());
}

}  // namespace
}  // namespace pdl
