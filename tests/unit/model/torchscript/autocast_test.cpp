#include "model/torchscript/autocast.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
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
  const Autocast autocast(at::kCPU, at::kBFloat16);
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

TEST(AutocastTest, WithoutItNothingIsCast) {
  { const Autocast autocast(at::kCPU, at::kBFloat16); }
  EXPECT_EQ(attend(9, at::kFloat).values.scalar_type(), at::kFloat);
  const at::Tensor q = at::randn({1, 1, 9, 4}).to(at::kBFloat16);
  EXPECT_EQ(at::scaled_dot_product_attention(q, q, q).scalar_type(), at::kBFloat16);
}

}  // namespace
}  // namespace pdl
