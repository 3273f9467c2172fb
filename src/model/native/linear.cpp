#include "linear.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>

#include <utility>

#include "pdl/ops/column_sums.h"

namespace pdl {

void add_product(const Parameter& parameter, const at::Tensor& a, const at::Tensor& b) {
  const bool is_fresh = std::exchange(*parameter.is_fresh, false);
  at::Tensor gradient = parameter.gradient;
  if (a.scalar_type() != at::kFloat) {
    const at::Tensor product = at::mm(a, b);
    is_fresh ? gradient.copy_(product) : gradient.add_(product);
  } else if (is_fresh) {
    at::mm_out(gradient, a, b);
  } else {
    gradient.addmm_(a, b);
  }
}

at::Tensor gradient_to_add_to(const Parameter& parameter) {
  if (!parameter.is_trained()) return {};
  if (std::exchange(*parameter.is_fresh, false)) parameter.gradient.zero_();
  return parameter.gradient;
}

Linear::Linear(Parameter weight, Parameter bias, bool transposed)
    : weight_(std::move(weight)), bias_(std::move(bias)), transposed_(transposed) {}

void Linear::round_weight() {
  if (compute_dtype_ == at::kFloat) return;
  if (rounded_.defined()) {
    rounded_.copy_(weight_.value);
  } else {
    rounded_ = weight_.value.to(compute_dtype_);
  }
}

at::Tensor Linear::forward(const at::Tensor& x) const {
  const at::Tensor weight = product_weight();
  const at::Tensor input = x.to(weight.scalar_type());
  const at::Tensor right = transposed_ ? weight : weight.t();
  if (weight.scalar_type() == at::kFloat) {
    return bias_.value.defined() ? at::addmm(bias_.value, input, right) : at::mm(input, right);
  }
  const at::Tensor y = at::mm(input, right).to(at::kFloat);
  return bias_.value.defined() ? y.add(bias_.value) : y;
}

at::Tensor Linear::backward(const at::Tensor& y_gradient, const at::Tensor& x) const {
  const at::Tensor weight = product_weight();
  const at::Tensor gradient = y_gradient.to(weight.scalar_type());
  if (weight_.is_trained()) {
    const at::Tensor input = x.to(weight.scalar_type());
    if (transposed_) {
      add_product(weight_, input.t(), gradient);
    } else {
      add_product(weight_, gradient.t(), input);
    }
  }
  if (bias_.is_trained()) add_column_sums(y_gradient, gradient_to_add_to(bias_));
  return at::mm(gradient, transposed_ ? weight.t() : weight).to(at::kFloat);
}

}  // namespace pdl
