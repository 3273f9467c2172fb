#include "model/torchscript/autocast.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace pdl {
namespace {

struct Attended {
  at::Tensor values;
  at::Tensor gradient;
};

Attended attend(int64_t length, at::ScalarType dtype) {
  at::manual_seed(1);
  const at::Tensor q = at::randn({1, 2, length, 8}).set_requires_grad(true);
  const at::Tensor k = at::randn({1, 2, length, 8});
  const at::Tensor values = at::scaled_dot_product_attention(q.to(dtype), k.to(dtype), k, {}, 0,
                                                             /*is_causal=*/true);
  values.sum().backward();
  return {values, q.grad()};
}

TEST(AutocastTest, AttentionOfShortSequencesIsFloat32) {
  for (const int64_t length : {1, 17, 256}) {
    const Attended exact = attend(length, at::kFloat);
    const Autocast autocast(at::kCPU, at::kBFloat16);
    const Attended attended = attend(length, at::kFloat);
    EXPECT_EQ(attended.values.scalar_type(), at::kFloat) << length;
    EXPECT_TRUE(at::equal(attended.values, exact.values)) << length;
    EXPECT_TRUE(at::equal(attended.gradient, exact.gradient)) << length;
    // Queries and keys are bfloat16 where products have made them.
    EXPECT_EQ(attend(length, at::kBFloat16).values.scalar_type(), at::kFloat) << length;
  }
}

TEST(AutocastTest, AttentionOfLongSequencesIsCast) {
  const Attended exact = attend(257, at::kFloat);
  const Autocast autocast(at::kCPU, at::kBFloat16, Bfloat16Products::kByLibTorch);
  const Attended attended = attend(257, at::kFloat);
  EXPECT_EQ(attended.values.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(at::allclose(attended.values.to(at::kFloat), exact.values, 0.02, 0.02));
}

TEST(AutocastTest, AMaskIsCastToo) {
  const Autocast autocast(at::kCPU, at::kBFloat16);
  const at::Tensor q = at::randn({1, 1, 5, 4}).to(at::kBFloat16);
  const at::Tensor mask = at::zeros({5, 5}, at::kBFloat16);
  EXPECT_EQ(at::scaled_dot_product_attention(q, q, q, mask).scalar_type(), at::kFloat);
  const at::Tensor seen = at::ones({5, 5}, at::kBool).tril();
  EXPECT_EQ(at::scaled_dot_product_attention(q, q, q, seen).scalar_type(), at::kFloat);
}

// A product and the gradients of its factors.
std::vector<at::Tensor> multiply(const std::function<at::Tensor(at::Tensor, at::Tensor)>& product,
                                 Bfloat16Products products) {
  at::manual_seed(1);
  const at::Tensor a = at::randn({3, 20, 17}).set_requires_grad(true);
  const at::Tensor b = at::randn({3, 17, 9}).set_requires_grad(true);
  const Autocast autocast(at::kCPU, at::kBFloat16, products);
  const at::Tensor result = product(a, b);
  result.square().sum().backward();
  return {result, a.grad(), b.grad()};
}

// Rounded once: results whose sums were added in another order differ by a last place at most.
TEST(AutocastTest, ProductsAsFloat32AreLibTorchs) {
  const std::vector<std::function<at::Tensor(at::Tensor, at::Tensor)>> all = {
      [](const at::Tensor& a, const at::Tensor& b) { return at::matmul(a, b); },
      [](const at::Tensor& a, const at::Tensor& b) { return at::bmm(a, b); },
      [](const at::Tensor& a, const at::Tensor& b) { return at::mm(a[0], b[1]); },
      [](const at::Tensor& a, const at::Tensor& b) { return at::linear(a, b[0].t()); },
      [](const at::Tensor& a, const at::Tensor& b) { return at::linear(a, b[0].t(), b[1][2]); },
      [](const at::Tensor& a, const at::Tensor& b) { return at::addmm(b[1][2], a[0], b[2]); },
      [](const at::Tensor& a, const at::Tensor& b) { return at::baddbmm(b[1][2], a, b, 0.5, 2); },
  };
  std::vector<std::vector<at::Tensor>> expected;
  for (const auto& product : all)
    expected.push_back(multiply(product, Bfloat16Products::kByLibTorch));
  for (size_t i = 0; i < all.size(); ++i) {
    const std::vector<at::Tensor> actual = multiply(all[i], Bfloat16Products::kAsFloat32);
    for (size_t k = 0; k < actual.size(); ++k) {
      ASSERT_EQ(actual[k].scalar_type(), expected[i][k].scalar_type()) << "product " << i;
      const double largest = expected[i][k].abs().max().item<double>();
      EXPECT_TRUE(at::allclose(actual[k], expected[i][k], 0x1p-7, 0x1p-10 * largest))
          << "product " << i << ", value " << k;
    }
    const std::vector<at::Tensor> again = multiply(all[i], Bfloat16Products::kByLibTorch);
    for (size_t k = 0; k < again.size(); ++k)
      EXPECT_TRUE(at::equal(again[k], expected[i][k])) << "product " << i << ", value " << k;
  }
}

TEST(AutocastTest, WithProductsAsFloat32AttentionIsFloat32) {
  const Autocast outer(at::kCPU, at::kBFloat16, Bfloat16Products::kByLibTorch);
  {
    const Autocast autocast(at::kCPU, at::kBFloat16, Bfloat16Products::kAsFloat32);
    EXPECT_EQ(attend(300, at::kBFloat16).values.scalar_type(), at::kFloat);
  }
  EXPECT_EQ(attend(300, at::kBFloat16).values.scalar_type(), at::kBFloat16);
}

TEST(AutocastTest, WithoutItNothingIsCast) {
  { const Autocast autocast(at::kCPU, at::kBFloat16); }
  EXPECT_EQ(attend(9, at::kFloat).values.scalar_type(), at::kFloat);
  const at::Tensor q = at::randn({1, 1, 9, 4}).to(at::kBFloat16);
  EXPECT_EQ(at::scaled_dot_product_attention(q, q, q).scalar_type(), at::kBFloat16);
}

}  // namespace
}  // namespace pdl
