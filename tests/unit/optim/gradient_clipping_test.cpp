#include "pdl/optim/gradient_clipping.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace pdl {
namespace {

at::Tensor tensor(const std::vector<float>& values) { return at::tensor(values); }

double norm_of(const std::vector<at::Tensor>& gradients) {
  return gradient_norm(gradient_square_sum(gradients, at::kCPU)).item<double>();
}

TEST(GradientClippingTest, TheNormIsThatOfAllTensorsTogether) {
  EXPECT_DOUBLE_EQ(norm_of({tensor({3}), tensor({4, 0, 0, 12}).reshape({2, 2})}), 13.0);
  EXPECT_EQ(norm_of({}), 0.0);
  const float not_a_number = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(std::isfinite(norm_of({tensor({1}), tensor({not_a_number})})));
  EXPECT_FALSE(
      std::isfinite(norm_of({tensor({1}), tensor({std::numeric_limits<float>::infinity()})})));
}

TEST(GradientClippingTest, TheNormIsInFloat64AndThreadsChangeNoBit) {
  at::manual_seed(1);
  const std::vector<at::Tensor> gradients = {at::randn({300, 1000}), at::randn({77}),
                                             at::randn({500, 200}).t()};
  double squares = 0;
  for (const at::Tensor& gradient : gradients) {
    squares += gradient.to(at::kDouble).square().sum().item<double>();
  }
  const int before = at::get_num_threads();
  const double norm = norm_of(gradients);
  EXPECT_NEAR(norm, std::sqrt(squares), 1e-12 * std::sqrt(squares));
  for (const int threads : {1, 3}) {
    at::set_num_threads(threads);
    EXPECT_EQ(norm_of(gradients), norm);
  }
  at::set_num_threads(before);
}

TEST(GradientClippingTest, OtherTensorsGoThroughAten) {
  const at::Tensor strided = tensor({3, 100, 4, 100}).reshape({2, 2}).narrow(1, 0, 1);
  EXPECT_DOUBLE_EQ(norm_of({strided}), 5.0);
  EXPECT_DOUBLE_EQ(norm_of({tensor({3, 4}).to(at::kBFloat16)}), 5.0);
}

TEST(GradientClippingTest, ScalesDownAndNeverUp) {
  const at::Tensor norm = at::full({}, 5.0, at::kDouble);
  EXPECT_EQ(clipping_divisor(norm, 10.0).item<float>(), 1.0F);
  EXPECT_FLOAT_EQ(clipping_divisor(norm, 1.0).item<float>(), static_cast<float>(5.0 + 1e-6));
}

}  // namespace
}  // namespace pdl
