#include "linear.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <utility>

#include "pdl/ops/column_sums.h"
#include "pdl/ops/product.h"

namespace pdl {
namespace {

// Adds a·b to the gradient of `parameter`, or writes it if the gradient is fresh.
void add_product(const Parameter& parameter, const at::Tensor& a, const at::Tensor& b) {
  const bool is_fresh = std::exchange(*parameter.is_fresh, false);
  at::Tensor gradient = parameter.gradient;
  if (a.scalar_type() == at::kFloat) {
    multiply_into(gradient, a, b, /*adds=*/!is_fresh);
  } else if (is_fresh) {
    gradient.copy_(matrix_product(a, b));
  } else {
    gradient.add_(matrix_product(a, b));
  }
}

// Calls visit(begin, count) for blocks of rows, so that a wider copy of a large matrix need not
// exist as a whole.
template <class Visit>
void for_each_matrix_block(const at::Tensor& matrix, const Visit& visit) {
  constexpr int64_t kBlockElements = 4'000'000;
  const int64_t rows = std::max<int64_t>(1, kBlockElements / matrix.size(1));
  for (int64_t begin = 0; begin < matrix.size(0); begin += rows)
    visit(begin, std::min(rows, matrix.size(0) - begin));
}

at::Tensor scaled_gradient(const at::Tensor& y_gradient, const LinearAdapter& adapter) {
  return y_gradient.narrow(1, adapter.begin, adapter.size).mul(adapter.weights.scale);
}

at::Tensor adapter_input(const at::Tensor& x, const at::Tensor& kept) {
  return kept.defined() ? x.mul(kept) : x;
}

}  // namespace

at::Tensor gradient_to_add_to(const Parameter& parameter) {
  if (!parameter.is_trained()) return {};
  if (std::exchange(*parameter.is_fresh, false)) parameter.gradient.zero_();
  return parameter.gradient;
}

Linear::Linear(Parameter weight, Parameter bias, bool transposed)
    : weight_(std::move(weight)), bias_(std::move(bias)), transposed_(transposed) {}

bool Linear::is_trained() const {
  return weight_.is_trained() || bias_.is_trained() ||
         std::ranges::any_of(adapters_, [](const LinearAdapter& adapter) {
           return adapter.weights.a.is_trained() || adapter.weights.b.is_trained();
         });
}

void Linear::round_weight() {
  const bool is_rounded = compute_dtype_ != weight_.value.scalar_type();
  if (compute_dtype_ == at::kFloat || !is_rounded) return;
  if (rounded_.defined()) {
    rounded_.copy_(weight_.value);
  } else {
    rounded_ = weight_.value.to(compute_dtype_);
  }
}

at::Tensor Linear::product_weight() const { return rounded_.defined() ? rounded_ : weight_.value; }

at::Tensor Linear::multiply_forward(const at::Tensor& x) const {
  const at::Tensor weight = product_weight();
  const at::Tensor input = x.to(compute_dtype_);
  if (weight.scalar_type() == compute_dtype_)
    return matrix_product(input, transposed_ ? weight : weight.t());
  if (transposed_) return matrix_product(input, weight.to(compute_dtype_));
  at::Tensor y = at::empty({x.size(0), weight.size(0)}, input.options());
  for_each_matrix_block(weight, [&](int64_t begin, int64_t count) {
    multiply_into(y.narrow(1, begin, count), input,
                  weight.narrow(0, begin, count).to(compute_dtype_).t());
  });
  return y;
}

at::Tensor Linear::multiply_back(const at::Tensor& y) const {
  const at::Tensor weight = product_weight();
  const at::Tensor gradient = y.to(compute_dtype_);
  if (weight.scalar_type() == compute_dtype_)
    return matrix_product(gradient, transposed_ ? weight.t() : weight);
  if (transposed_) return matrix_product(gradient, weight.to(compute_dtype_).t());
  at::Tensor x = at::zeros({y.size(0), weight.size(1)}, gradient.options());
  for_each_matrix_block(weight, [&](int64_t begin, int64_t count) {
    multiply_into(x, gradient.narrow(1, begin, count),
                  weight.narrow(0, begin, count).to(compute_dtype_), /*adds=*/true);
  });
  return x;
}

at::Tensor Linear::forward(const at::Tensor& x, bool drops, State& state) const {
  const at::Tensor product = multiply_forward(x);
  at::Tensor y = product.to(at::kFloat);
  if (bias_.value.defined()) y.add_(bias_.value);
  for (const LinearAdapter& adapter : adapters_) {
    const auto& [a, b, scale, dropout] = adapter.weights;
    at::Tensor& kept = state.kept.emplace_back();
    if (drops && dropout > 0) kept = at::empty_like(x).bernoulli_(1 - dropout).div_(1 - dropout);
    const at::Tensor inner = matrix_product(adapter_input(x, kept), a.value.t()).mul_(scale);
    multiply_into(y.narrow(1, adapter.begin, adapter.size), inner, b.value.t(), /*adds=*/true);
  }
  return y;
}

void Linear::add_gradients(const at::Tensor& y_gradient, const at::Tensor& x,
                           const State& state) const {
  if (weight_.is_trained()) {
    const at::Tensor gradient = y_gradient.to(compute_dtype_);
    const at::Tensor input = x.to(compute_dtype_);
    if (transposed_) {
      add_product(weight_, input.t(), gradient);
    } else {
      add_product(weight_, gradient.t(), input);
    }
  }
  if (bias_.is_trained()) add_column_sums(y_gradient, gradient_to_add_to(bias_));
  for (size_t i = 0; i < adapters_.size(); ++i) {
    const auto& [a, b, scale, dropout] = adapters_[i].weights;
    const at::Tensor input = adapter_input(x, state.kept[i]);
    const at::Tensor scaled = scaled_gradient(y_gradient, adapters_[i]);
    if (b.is_trained()) add_product(b, scaled.t(), matrix_product(input, a.value.t()));
    if (a.is_trained()) add_product(a, matrix_product(scaled, b.value).t(), input);
  }
}

at::Tensor Linear::input_gradient(const at::Tensor& y_gradient, const State& state) const {
  at::Tensor x_gradient = multiply_back(y_gradient).to(at::kFloat);
  for (size_t i = 0; i < adapters_.size(); ++i) {
    const auto& [a, b, scale, dropout] = adapters_[i].weights;
    const at::Tensor inner = matrix_product(scaled_gradient(y_gradient, adapters_[i]), b.value);
    x_gradient.add_(adapter_input(matrix_product(inner, a.value), state.kept[i]));
  }
  return x_gradient;
}

at::Tensor Linear::backward(const at::Tensor& y_gradient, const at::Tensor& x,
                            const State& state) const {
  add_gradients(y_gradient, x, state);
  return input_gradient(y_gradient, state);
}

}  // namespace pdl
