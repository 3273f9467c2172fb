#include "pdl/ops/activation.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/threshold_backward.h>

#include <type_traits>

#include "cpu_tensors.h"
#include "pdl/base/error.h"
#include "pdl/kernels/cpu_kernels.h"
#include "pdl/ops/row_blocks.h"

namespace pdl {
namespace {

template <class Value>
const Activations<Value>& activations() {
  if constexpr (std::is_same_v<Value, float>) {
    return cpu_kernels().float_activations;
  } else {
    return cpu_kernels().bfloat16_activations;
  }
}

template <class Value>
const ActivationKernels<Value>& kernels_of(Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return activations<Value>().silu;
    case Activation::kGelu:
      return activations<Value>().gelu;
    case Activation::kGeluTanh:
      return activations<Value>().gelu_tanh;
    case Activation::kRelu:
      return activations<Value>().relu;
  }
  throw Error(ExitCode::kInternal, "unknown activation");
}

at::Tensor by_aten(const at::Tensor& x, Activation activation) {
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
  throw Error(ExitCode::kInternal, "unknown activation");
}

at::Tensor back_by_aten(const at::Tensor& y_gradient, const at::Tensor& x, Activation activation) {
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
  throw Error(ExitCode::kInternal, "unknown activation");
}

void backward_by_aten(const at::Tensor& x, const at::Tensor& y, Activation activation, bool gated) {
  const at::Tensor gradient = y.clone();
  if (!gated) {
    y.copy_(by_aten(x, activation));
    x.copy_(back_by_aten(gradient, x, activation));
    return;
  }
  const int64_t width = y.size(1);
  const at::Tensor gate = x.narrow(1, 0, width);
  const at::Tensor up = x.narrow(1, width, width);
  const at::Tensor activated = by_aten(gate, activation);
  y.copy_(activated.mul(up));
  gate.copy_(back_by_aten(gradient.mul(up), gate, activation));
  up.copy_(activated.mul(gradient));
}

// Rows [gate, up], and the rows of half the width that come of them.
template <class Value>
struct GatedRows {
  GatedRows(const at::Tensor& x, const at::Tensor& y, bool gated)
      : x_values(static_cast<Value*>(x.data_ptr())),
        y_values(static_cast<Value*>(y.data_ptr())),
        x_stride(x.stride(0)),
        y_stride(y.stride(0)),
        y_width(y.size(1)),
        is_gated(gated) {
    require_contiguous_rows(x, "what is activated");
    require_contiguous_rows(y, "what was activated");
  }

  Value* gate(int64_t row) const { return x_values + row * x_stride; }
  Value* up(int64_t row) const { return is_gated ? gate(row) + y_width : nullptr; }
  Value* y(int64_t row) const { return y_values + row * y_stride; }

  Value* x_values;
  Value* y_values;
  int64_t x_stride;
  int64_t y_stride;
  int64_t y_width;
  bool is_gated;
};

template <class Value>
void forward_rows(const at::Tensor& x, const at::Tensor& y, Activation activation, bool gated) {
  const GatedRows<Value> rows(x, y, gated);
  const auto forward = kernels_of<Value>(activation).forward;
  for_each_row_block(y, [&](int64_t begin, int64_t count) {
    for (int64_t row = begin; row < begin + count; ++row)
      forward(rows.gate(row), rows.up(row), y.size(1), rows.y(row));
  });
}

template <class Value>
void backward_rows(const at::Tensor& x, const at::Tensor& y, Activation activation, bool gated) {
  const GatedRows<Value> rows(x, y, gated);
  const auto backward = kernels_of<Value>(activation).backward;
  for_each_row_block(y, [&](int64_t begin, int64_t count) {
    for (int64_t row = begin; row < begin + count; ++row) {
      backward(rows.y(row), rows.gate(row), rows.up(row), y.size(1), rows.y(row), rows.gate(row),
               rows.up(row));
    }
  });
}

}  // namespace

at::Tensor activation_forward(const at::Tensor& x, Activation activation, bool gated) {
  const int64_t width = gated ? x.size(1) / 2 : x.size(1);
  if (!is_cpu_factor(x)) {
    const at::Tensor activated = by_aten(x.narrow(1, 0, width), activation);
    return gated ? activated.mul(x.narrow(1, width, width)) : activated;
  }
  const at::Tensor y = at::empty({x.size(0), width}, x.options());
  const auto forward = is_cpu_float(x) ? forward_rows<float> : forward_rows<Bfloat16>;
  forward(x, y, activation, gated);
  return y;
}

void activation_backward(const at::Tensor& x, const at::Tensor& y, Activation activation,
                         bool gated) {
  if (!is_cpu_factor(x)) return backward_by_aten(x, y, activation, gated);
  const auto backward = is_cpu_float(x) ? backward_rows<float> : backward_rows<Bfloat16>;
  backward(x, y, activation, gated);
}

void replace_by_tanh(const at::Tensor& x) {
  for_each_row_block(x, [&](int64_t begin, int64_t count) {
    at::Tensor block = x.narrow(0, begin, count);
    at::tanh_out(block, block);
  });
}

}  // namespace pdl
