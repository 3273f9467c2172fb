#include "pdl/ops/activation.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "support/any_threads.h"

namespace pdl {
namespace {

TEST(ActivationTest, ThreadsChangeNoBit) {
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
      expect_same_bits_with_any_threads(compute);
    }
  }
}

}  // namespace
}  // namespace pdl
