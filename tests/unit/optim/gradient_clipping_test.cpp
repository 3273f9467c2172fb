#include "pdl/optim/gradient_clipping.h"

#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace pdl {
namespace {

at::Tensor tensor(const std::vector<float>& values) { return at::tensor(values); }

TEST(GradientClippingTest, TheNormIsThatOfAllTensorsTogether) {
  const std::vector<at::Tensor> gradients = {tensor({3}), tensor({4, 0, 0, 12}).reshape({2, 2})};
  EXPECT_FLOAT_EQ(static_cast<float>(gradient_norm(gradients)), 13.0F);
  EXPECT_EQ(gradient_norm({}), 0.0);
  const float not_a_number = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(
      std::isfinite(gradient_norm(std::vector<at::Tensor>{tensor({1}), tensor({not_a_number})})));
}

TEST(GradientClippingTest, ScalesDownAndNeverUp) {
  const at::Tensor gradient = tensor({3, 4});
  const std::vector<at::Tensor> gradients = {gradient};
  clip_gradients(gradients, 5.0, 10.0);
  EXPECT_EQ(gradient[1].item<float>(), 4.0F);
  clip_gradients(gradients, 5.0, 1.0);
  EXPECT_FLOAT_EQ(gradient[1].item<float>(), static_cast<float>(4.0 / (5.0 + 1e-6)));
}

}  // namespace
}  // namespace pdl
