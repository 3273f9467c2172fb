#include "pdl/ops/activation.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <utility>

#include "support/any_threads.h"

namespace pdl {
namespace {

constexpr Activation kActivations[] = {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh,
                                       Activation::kRelu};

at::Tensor by_autograd(const at::Tensor& x, Activation activation, bool gated) {
  const at::Tensor gate = gated ? x.chunk(2, 1)[0] : x;
  at::Tensor y;
  if (activation == Activation::kSilu) y = at::silu(gate);
  if (activation == Activation::kGelu) y = at::gelu(gate, "none");
  if (activation == Activation::kGeluTanh) y = at::gelu(gate, "tanh");
  if (activation == Activation::kRelu) y = at::relu(gate);
  return gated ? y * x.chunk(2, 1)[1] : y;
}

// float32 and bfloat16 are what the kernels take, float64 what ATen's operators do.
TEST(ActivationTest, AgreesWithAutograd) {
  for (const bool gated : {false, true}) {
    for (const Activation activation : kActivations) {
      const at::Tensor exact_x = at::randn({37, 26}, at::kDouble).set_requires_grad(true);
      const at::Tensor exact_y = by_autograd(exact_x, activation, gated);
      const at::Tensor gradient = at::randn_like(exact_y);
      exact_y.backward(gradient);
      for (const auto& [dtype, tolerance] :
           {std::pair{at::kFloat, 1e-6}, {at::kDouble, 1e-14}, {at::kBFloat16, 0.02}}) {
        const at::Tensor x = exact_x.detach().to(dtype).clone();
        EXPECT_TRUE(at::allclose(activation_forward(x, activation, gated).to(at::kDouble),
                                 exact_y.detach(), tolerance, tolerance));
        const at::Tensor y = gradient.to(dtype).clone();
        activation_backward(x, y, activation, gated);
        EXPECT_TRUE(at::allclose(y.to(at::kDouble), exact_y.detach(), tolerance, tolerance));
        EXPECT_TRUE(at::allclose(x.to(at::kDouble), exact_x.grad(), tolerance, 3 * tolerance));
      }
    }
  }
}

TEST(ActivationTest, ThreadsChangeNoBit) {
  for (const int64_t width : {5, 172, 1000}) {
    const at::Tensor x = at::randn({501, 2 * width});
    const at::Tensor gradient = at::randn({501, width});
    for (const Activation activation : kActivations) {
      const auto compute = [&] {
        const at::Tensor back = x.clone();
        const at::Tensor y = gradient.clone();
        activation_backward(back, y, activation, /*gated=*/true);
        const at::Tensor capped = x.clone();
        replace_by_tanh(capped);
        return at::cat({activation_forward(x, activation, /*gated=*/true), back, y, capped}, 1);
      };
      expect_same_bits_with_any_threads(compute);
    }
  }
}

}  // namespace
}  // namespace pdl
