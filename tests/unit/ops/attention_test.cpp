#include "pdl/ops/attention.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "support/any_threads.h"

namespace pdl {
namespace {

struct AttentionCase {
  int64_t length;
  int64_t heads;
  int64_t kv_heads;
  int64_t dims;
  int64_t window;
  double softcap;
  bool has_documents;
};

// Query t sees keys from this one to t.
int64_t first_seen(const AttentionCase& c, const at::Tensor& starts, int64_t row, int64_t t) {
  const int64_t of_window = c.window > 0 ? std::max<int64_t>(0, t - c.window + 1) : 0;
  return std::max(of_window, c.has_documents ? starts[row][t].item<int64_t>() : 0);
}

// The formula query by query, in float64 with autograd.
at::Tensor by_formula(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                      const AttentionCase& c, const at::Tensor& starts, double scale) {
  std::vector<at::Tensor> outputs;
  for (int64_t b = 0; b < q.size(0); ++b) {
    for (int64_t t = 0; t < c.length; ++t) {
      for (int64_t h = 0; h < c.heads; ++h) {
        const int64_t kv = h / (c.heads / c.kv_heads);
        const int64_t first = first_seen(c, starts, b, t);
        const at::Tensor keys = k[b].select(1, kv).slice(0, first, t + 1);
        at::Tensor scores = keys.matmul(q[b][t][h]) * scale;
        if (c.softcap > 0) scores = (scores / c.softcap).tanh() * c.softcap;
        outputs.push_back(scores.softmax(0).matmul(v[b].select(1, kv).slice(0, first, t + 1)));
      }
    }
  }
  return at::stack(outputs).view({q.size(0), c.length, c.heads, c.dims});
}

// Factors in bfloat16 have relative errors of up to 2^-9, some of which add up.
double tolerance_of(ProductPrecision precision) {
  return precision == ProductPrecision::kBfloat16 ? 0.02 : 3e-6;
}

void expect_close(const at::Tensor& value, const at::Tensor& expected, double tolerance) {
  EXPECT_LT(value.to(at::kDouble).sub(expected).abs().max().item<double>(),
            tolerance * (1 + expected.abs().max().item<double>()));
}

using Case = std::tuple<AttentionCase, ProductPrecision>;

class AttentionTest : public testing::TestWithParam<Case> {};

TEST_P(AttentionTest, IsTheFormulaForwardAndBackward) {
  const auto& [c, precision] = GetParam();
  const double tolerance = tolerance_of(precision);
  at::manual_seed(1);
  const at::Tensor joined = at::randn({2, c.length, c.heads + 2 * c.kv_heads, c.dims});
  const at::Tensor q = joined.narrow(2, 0, c.heads);
  const at::Tensor k = joined.narrow(2, c.heads, c.kv_heads);
  const at::Tensor v = joined.narrow(2, c.heads + c.kv_heads, c.kv_heads);
  at::Tensor starts = at::zeros({2, c.length}, at::kLong);
  starts[0].slice(0, c.length / 3).fill_(c.length / 3);  // the second sequence is one document
  const double scale = 0.3;
  const at::Tensor gradient = at::randn({2, c.length, c.heads, c.dims});

  const auto leaf = [](const at::Tensor& t) { return t.to(at::kDouble).set_requires_grad(true); };
  const at::Tensor exact_q = leaf(q);
  const at::Tensor exact_k = leaf(k);
  const at::Tensor exact_v = leaf(v);
  const at::Tensor exact = by_formula(exact_q, exact_k, exact_v, c, starts, scale);
  exact.backward(gradient.to(at::kDouble));

  const SeenKeys seen =
      seen_keys(c.length, c.window, c.has_documents ? starts : at::Tensor(), at::kCPU);
  const AttentionOptions options{.scale = scale, .softcap = c.softcap, .precision = precision};
  // float32 is what the kernels take, float64 what ATen's operators do.
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    Attention attention;
    expect_close(attention.forward(q.to(dtype), k.to(dtype), v.to(dtype), seen, options),
                 exact.detach(), tolerance);
    const at::Tensor to = at::empty_like(joined, joined.options().dtype(dtype));
    const Attention::Gradients gradients{to.narrow(2, 0, c.heads),
                                         to.narrow(2, c.heads, c.kv_heads),
                                         to.narrow(2, c.heads + c.kv_heads, c.kv_heads)};
    attention.backward(gradient.to(dtype), gradients);
    expect_close(gradients.q, exact_q.grad(), tolerance);
    expect_close(gradients.k, exact_k.grad(), tolerance);
    expect_close(gradients.v, exact_v.grad(), tolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(All, AttentionTest,
                         testing::Combine(testing::Values(AttentionCase{1, 1, 1, 2, 0, 0, false},
                                                          AttentionCase{13, 3, 3, 5, 0, 0, false},
                                                          AttentionCase{13, 6, 2, 8, 4, 0, false},
                                                          AttentionCase{13, 6, 1, 8, 0, 0, true},
                                                          AttentionCase{17, 4, 2, 10, 5, 0, true},
                                                          AttentionCase{11, 4, 2, 6, 0, 2, false},
                                                          AttentionCase{11, 4, 4, 6, 3, 2, true},
                                                          AttentionCase{11, 2, 1, 6, 40, 0, false},
                                                          AttentionCase{131, 2, 1, 64, 50, 0, true},
                                                          AttentionCase{97, 1, 1, 33, 0, 30, true}),
                                          testing::Values(ProductPrecision::kFloat32,
                                                          ProductPrecision::kBfloat16)));

TEST(SeenKeysTest, AreAllUnlessSomethingHidesThem) {
  EXPECT_TRUE(seen_keys(8, 0, {}, at::kCPU).is_all);
  EXPECT_TRUE(seen_keys(8, 8, {}, at::kCPU).is_all);
  const SeenKeys seen = seen_keys(5, 3, {}, at::kCPU);
  EXPECT_FALSE(seen.is_all);
  EXPECT_TRUE(at::equal(seen.first, at::tensor({0, 0, 0, 1, 2}, at::kInt).unsqueeze(0)));
}

// What is dropped is scaled up, so that the mean over many drops is what is computed without.
TEST(AttentionDropoutTest, KeepsTheMean) {
  at::manual_seed(1);
  const at::NoGradGuard no_grad;
  const at::Tensor q = at::randn({1, 6, 1, 4});
  const at::Tensor v = at::randn({1, 6, 1, 4});
  const SeenKeys seen = seen_keys(6, 0, {}, at::kCPU);
  const at::Tensor plain = Attention().forward(q, q, v, seen, {.scale = 0.5});
  at::Tensor sum = at::zeros_like(plain);
  constexpr int kTimes = 4000;
  for (int i = 0; i < kTimes; ++i)
    sum += Attention().forward(q, q, v, seen, {.scale = 0.5, .dropout = 0.3});
  EXPECT_LT(sum.div(kTimes).sub(plain).abs().max().item<double>(), 0.06);
}

TEST(AttentionGroupsTest, ThreadsChangeNoBit) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor q = at::randn({1, 3, 8, 40}).to(dtype);
    const at::Tensor k = at::randn({1, 3, 1, 40}).to(dtype);
    const SeenKeys seen = seen_keys(3, 0, {}, at::kCPU);
    const AttentionOptions options{.scale = 0.3, .precision = ProductPrecision::kBfloat16};
    expect_same_bits_with_any_threads([&] {
      Attention attention;
      attention.forward(q, k, k, seen, options);
      const at::Tensor to_q = at::empty_like(q);
      const at::Tensor to = at::empty({2, 1, 3, 1, 40}, dtype);
      attention.backward(q, {to_q, to[0], to[1]});
      return at::cat({to_q.flatten(), to.flatten()});
    });
  }
}

// Factors of bfloat16 give what the same in float32 give, but that gradients are rounded.
TEST(AttentionDtypeTest, TakesBfloat16) {
  const auto rounded = [](int64_t heads) {
    return at::randn({2, 37, heads, 24}).to(at::kBFloat16);
  };
  const at::Tensor q = rounded(6);
  const at::Tensor k = rounded(2);
  const at::Tensor v = rounded(2);
  const at::Tensor gradient = rounded(6);
  const SeenKeys seen = seen_keys(37, 0, {}, at::kCPU);
  const AttentionOptions options{.scale = 0.3, .precision = ProductPrecision::kBfloat16};
  std::vector<at::Tensor> results[2];
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    Attention attention;
    const at::Tensor out = attention.forward(q.to(dtype), k.to(dtype), v.to(dtype), seen, options);
    EXPECT_EQ(out.scalar_type(), at::kFloat);
    const Attention::Gradients to{at::empty_like(q, q.options().dtype(dtype)),
                                  at::empty_like(k, k.options().dtype(dtype)),
                                  at::empty_like(v, v.options().dtype(dtype))};
    attention.backward(gradient.to(dtype), to);
    results[dtype == at::kBFloat16] = {out, to.q, to.k, to.v};
  }
  EXPECT_TRUE(at::equal(results[0][0], results[1][0]));
  for (size_t i = 1; i < 4; ++i)
    EXPECT_TRUE(at::equal(results[0][i].to(at::kBFloat16), results[1][i])) << i;
}

TEST(AttentionDropoutTest, ThreadsChangeNoBit) {
  const at::Tensor q = at::randn({2, 100, 3, 8});
  const SeenKeys seen = seen_keys(100, 0, {}, at::kCPU);
  expect_same_bits_with_any_threads([&] {
    at::manual_seed(1);
    Attention attention;
    const at::Tensor y = attention.forward(q, q, q, seen, {.scale = 0.3, .dropout = 0.1});
    const at::Tensor gradients = at::empty({3, 2, 100, 3, 8});
    attention.backward(q, {gradients[0], gradients[1], gradients[2]});
    return at::cat({y.unsqueeze(0), gradients});
  });
}

}  // namespace
}  // namespace pdl
