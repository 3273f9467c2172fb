#include "pdl/ops/norm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <string>

#include "support/any_threads.h"

namespace pdl {
namespace {

constexpr double kEps = 1e-3;

struct NormCase {
  NormKind kind;
  bool has_weight;
  bool one_plus;
  bool has_bias;
  int64_t rows;
  int64_t width;
};

// The formula, in float64 with autograd.
at::Tensor by_formula(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      const NormCase& c) {
  const at::Tensor centred = c.kind == NormKind::kLayer ? x - x.mean(-1, true) : x;
  at::Tensor y = centred * (centred.square().mean(-1, true) + kEps).rsqrt();
  if (c.has_weight) y = y * (c.one_plus ? weight + 1 : weight);
  return c.has_bias ? y + bias : y;
}

void expect_close(const at::Tensor& value, const at::Tensor& expected) {
  const double error = value.to(at::kDouble).sub(expected).abs().max().item<double>();
  EXPECT_LT(error, 2e-6 * (1 + expected.abs().max().item<double>()));
}

class NormTest : public testing::TestWithParam<NormCase> {};

TEST_P(NormTest, IsTheFormulaForwardAndBackward) {
  const NormCase& c = GetParam();
  at::manual_seed(1);
  // Rows with a stride, as of a part of a wider matrix.
  const at::Tensor x = at::randn({c.rows, c.width + 3}).narrow(1, 1, c.width);
  const at::Tensor weight = at::randn({c.width});
  const at::Tensor bias = at::randn({c.width});
  const at::Tensor y_gradient = at::randn({c.rows, c.width});
  const Norm norm{.kind = c.kind,
                  .eps = kEps,
                  .one_plus_weight = c.one_plus,
                  .weight = c.has_weight ? weight : at::Tensor(),
                  .bias = c.has_bias ? bias : at::Tensor()};

  const auto leaf = [](const at::Tensor& t) { return t.to(at::kDouble).set_requires_grad(true); };
  const at::Tensor exact_x = leaf(x);
  const at::Tensor exact_weight = leaf(weight);
  const at::Tensor exact_bias = leaf(bias);
  const at::Tensor exact_y = by_formula(exact_x, exact_weight, exact_bias, c);
  exact_y.backward(y_gradient.to(at::kDouble));

  // float32 is what the kernels take, float64 what ATen's operators do.
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    Norm same = norm;
    if (c.has_weight) same.weight = weight.to(dtype);
    if (c.has_bias) same.bias = bias.to(dtype);
    NormStatistics statistics;
    expect_close(norm_forward(x.to(dtype), same, statistics), exact_y.detach());
    const at::Tensor before = at::randn({c.width}, dtype);  // gradients are added
    const at::Tensor weight_gradient = c.has_weight ? before.clone() : at::Tensor();
    const at::Tensor bias_gradient = c.has_bias ? before.clone() : at::Tensor();
    expect_close(norm_backward(y_gradient.to(dtype), x.to(dtype), same, statistics, weight_gradient,
                               bias_gradient),
                 exact_x.grad());
    if (c.has_weight) expect_close(weight_gradient - before, exact_weight.grad());
    if (c.has_bias) expect_close(bias_gradient - before, exact_bias.grad());
  }
}

// On the CPU, and by ATen's operators for float64: y and its gradient bfloat16, and a gradient that
// is added.
TEST_P(NormTest, RoundsToBfloat16AndAdds) {
  const NormCase& c = GetParam();
  at::manual_seed(2);
  const at::Tensor x = at::randn({c.rows, c.width});
  // Rows with a stride, as of a part of a wider matrix.
  const auto rows = [&c] { return at::randn({c.rows, c.width + 3}).narrow(1, 1, c.width); };
  const at::Tensor added = rows();
  const at::Tensor y_gradient = rows().to(at::kBFloat16);
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    Norm norm{.kind = c.kind, .eps = kEps, .weight = {}, .bias = {}};
    if (c.has_weight) norm.weight = at::randn({c.width}, dtype);
    if (c.has_bias) norm.bias = at::randn({c.width}, dtype);
    const auto sums = [&](bool is_defined) {
      return is_defined ? at::zeros({c.width}, dtype) : at::Tensor();
    };
    const at::Tensor weight_sums[] = {sums(c.has_weight), sums(c.has_weight)};
    const at::Tensor bias_sums[] = {sums(c.has_bias), sums(c.has_bias)};
    NormStatistics statistics;
    const at::Tensor y = norm_forward(x.to(dtype), norm, statistics);
    const at::Tensor rounded = norm_forward(x.to(dtype), norm, statistics, /*rounds=*/true);
    EXPECT_EQ(rounded.scalar_type(), at::kBFloat16);
    EXPECT_TRUE(at::equal(rounded, y.to(at::kBFloat16)));
    const at::Tensor alone = norm_backward(y_gradient.to(dtype), x.to(dtype), norm, statistics,
                                           weight_sums[0], bias_sums[0]);
    const at::Tensor both = norm_backward(y_gradient, x.to(dtype), norm, statistics, weight_sums[1],
                                          bias_sums[1], added.to(dtype));
    if (c.has_weight) expect_close(weight_sums[1], weight_sums[0].to(at::kDouble));
    if (c.has_bias) expect_close(bias_sums[1], bias_sums[0].to(at::kDouble));
    EXPECT_EQ(both.scalar_type(), dtype);
    expect_close(both, alone.add(added).to(at::kDouble));
  }
}

TEST(NormThreadsTest, ThreadsChangeNoBit) {
  const at::Tensor x = at::randn({301, 96});
  const at::Tensor y_gradient = at::randn({301, 96});
  for (const NormKind kind : {NormKind::kRms, NormKind::kLayer}) {
    const Norm norm{.kind = kind, .eps = kEps, .weight = at::ones({96}), .bias = {}};
    expect_same_bits_with_any_threads([&] {
      NormStatistics statistics;
      const at::Tensor y = norm_forward(x, norm, statistics);
      const at::Tensor sums = at::zeros({2, 96});
      const at::Tensor x_gradient =
          norm_backward(y_gradient, x, norm, statistics, sums[0],
                        kind == NormKind::kLayer ? sums[1] : at::Tensor());
      return at::cat({y, x_gradient, sums});
    });
  }
}

INSTANTIATE_TEST_SUITE_P(All, NormTest,
                         testing::Values(NormCase{NormKind::kRms, true, false, false, 5, 7},
                                         NormCase{NormKind::kRms, true, true, false, 3, 64},
                                         NormCase{NormKind::kRms, true, false, false, 1, 1},
                                         NormCase{NormKind::kLayer, true, false, true, 130, 33},
                                         NormCase{NormKind::kLayer, true, false, false, 4, 16},
                                         NormCase{NormKind::kLayer, false, false, false, 6, 5}));

}  // namespace
}  // namespace pdl
