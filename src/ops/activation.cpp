#include "pdl/ops/activation.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <ATen/ops/threshold_backward.h>

#include "pdl/base/error.h"

namespace pdl {
namespace {

[[noreturn]] void fail_unknown() { throw Error(ExitCode::kInternal, "unknown activation"); }

}  // namespace

at::Tensor activation_forward(const at::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return at::silu(x);
    case Activation::kGelu:
      return at::gelu(x, "none");
    case Activation::kGeluTanh:
      return at::gelu(x, "tanh");
    case Activation::kRelu:
      return at::relu(x);
  }
  fail_unknown();
}

at::Tensor activation_backward(const at::Tensor& y_gradient, const at::Tensor& x,
                               Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return at::silu_backward(y_gradient, x);
    case Activation::kGelu:
      return at::gelu_backward(y_gradient, x, "none");
    case Activation::kGeluTanh:
      return at::gelu_backward(y_gradient, x, "tanh");
    case Activation::kRelu:
      return at::threshold_backward(y_gradient, x, 0);
  }
  fail_unknown();
}

}  // namespace pdl
