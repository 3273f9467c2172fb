#include "pdl/ops/activation.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cstdint>

namespace pdl {
namespace {

TEST(ActivationTest, ThreadsChangeNoBit) {
  const int before = at::get_num_threads();
  for (const int64_t width : {5, 172, 1000}) {
    const at::Tensor x = at::randn({501, 2 * width}).narrow(1, 0, width);
    const at::Tensor gradient = at::randn({501, width});
    for (const Activation activation :
         {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh, Activation::kRelu}) {
      const auto compute = [&] {
        const at::Tensor back = at::empty_like(gradient);
        activation_backward(back, gradient, x, activation);
        const at::Tensor capped = x.contiguous();
        replace_by_tanh(capped);
        return at::cat({activation_forward(x, activation), back, capped}, 1);
      };
      at::set_num_threads(1);
      const at::Tensor one = compute();
      for (const int threads : {2, 3, 8}) {
        at::set_num_threads(threads);
        EXPECT_TRUE(at::equal(compute(), one)) << threads;
      }
    }
  }
  at::set_num_threads(before);
}

}  // namespace
}  // namespace pdl
