#include "pdl/ops/activation.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/threshold_backward.h>

#include "pdl/ops/row_blocks.h"

namespace pdl {
namespace {

void forward_block(at::Tensor y, const at::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      at::silu_out(y, x);
      return;
    case Activation::kGelu:
      at::gelu_out(y, x, "none");
      return;
    case Activation::kGeluTanh:
      at::gelu_out(y, x, "tanh");
      return;
    case Activation::kRelu:
      at::relu_out(y, x);
      return;
  }
}

void backward_block(at::Tensor x_gradient, const at::Tensor& y_gradient, const at::Tensor& x,
                    Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      at::silu_backward_out(x_gradient, y_gradient, x);
      return;
    case Activation::kGelu:
      at::gelu_backward_out(x_gradient, y_gradient, x, "none");
      return;
    case Activation::kGeluTanh:
      at::gelu_backward_out(x_gradient, y_gradient, x, "tanh");
      return;
    case Activation::kRelu:
      at::threshold_backward_out(x_gradient, y_gradient, x, 0);
      return;
  }
}

}  // namespace

at::Tensor activation_forward(const at::Tensor& x, Activation activation) {
  at::Tensor y = at::empty(x.sizes(), x.options());
  for_each_row_block(x, [&](int64_t begin, int64_t count) {
    forward_block(y.narrow(0, begin, count), x.narrow(0, begin, count), activation);
  });
  return y;
}

void activation_backward(const at::Tensor& x_gradient, const at::Tensor& y_gradient,
                         const at::Tensor& x, Activation activation) {
  for_each_row_block(x, [&](int64_t begin, int64_t count) {
    backward_block(x_gradient.narrow(0, begin, count), y_gradient.narrow(0, begin, count),
                   x.narrow(0, begin, count), activation);
  });
}

void replace_by_tanh(const at::Tensor& x) {
  for_each_row_block(x, [&](int64_t begin, int64_t count) {
    at::Tensor block = x.narrow(0, begin, count);
    at::tanh_out(block, block);
  });
}

}  // namespace pdl
