#include "linear.h"

#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <utility>

#include "pdl/ops/column_sums.h"
#include "pdl/ops/linear_cross_entropy.h"

namespace pdl {
namespace {

// Adds a·b to the gradient of `parameter`, or writes it if the gradient is fresh.
void add_product(const Parameter& parameter, const at::Tensor& a, const at::Tensor& b,
                 ProductPrecision precision = ProductPrecision::kFloat32) {
  const GradientSum::Values gradient = parameter.gradient->values();
  auto writing = Writing::kAdd;
  if (gradient.is_fresh)
    writing = parameter.gradient->outgrows_caches() ? Writing::kStream : Writing::kReplace;
  multiply_into(gradient.sum, a, b, precision, writing);
}

at::Tensor adapter_input(const at::Tensor& x, const at::Tensor& kept) {
  return kept.defined() ? x.mul(kept) : x;
}

}  // namespace

at::Tensor gradient_to_add_to(const Parameter& parameter) {
  if (!parameter.is_trained()) return {};
  GradientSum::Values gradient = parameter.gradient->values();
  return gradient.is_fresh ? gradient.sum.zero_() : gradient.sum;
}

Linear::Linear(Parameter weight, Parameter bias, bool transposed, ProductPrecision precision)
    : weight_(std::move(weight)),
      bias_(std::move(bias)),
      transposed_(transposed),
      precision_(precision) {}

bool Linear::is_trained() const {
  return weight_.is_trained() || bias_.is_trained() ||
         std::ranges::any_of(adapters_, [](const LinearAdapter& adapter) {
           return adapter.weights.a.is_trained() || adapter.weights.b.is_trained();
         });
}

at::Tensor Linear::matrix() const { return transposed_ ? weight_.value.t() : weight_.value; }

at::Tensor Linear::forward(const at::Tensor& x, const Mode& mode, State& state) const {
  if (mode.rounds) return rounded_product(x, matrix().t(), bias_.value);
  at::Tensor y = mode.decodes ? few_rows_product(x, matrix().t())
                              : matrix_product(x, matrix().t(), precision_);
  if (bias_.value.defined()) y.add_(bias_.value);
  for (const LinearAdapter& adapter : adapters_) {
    const auto& [a, b, scale, dropout] = adapter.weights;
    at::Tensor& kept = state.kept.emplace_back();
    if (mode.drops && dropout > 0)
      kept = at::empty_like(x).bernoulli_(1 - dropout).div_(1 - dropout);
    const at::Tensor& inner =
        state.inner.emplace_back(matrix_product(adapter_input(x, kept), a.value.t()).mul_(scale));
    multiply_into(y.narrow(1, adapter.begin, adapter.size), inner, b.value.t(),
                  ProductPrecision::kFloat32, Writing::kAdd);
  }
  return y;
}

void Linear::add_gradients(const at::Tensor& y_gradient, const at::Tensor& x,
                           const State& state) const {
  if (weight_.is_trained()) {
    if (transposed_) {
      add_product(weight_, x.t(), y_gradient, precision_);
    } else {
      add_product(weight_, y_gradient.t(), x, precision_);
    }
  }
  if (bias_.is_trained()) add_column_sums(y_gradient, gradient_to_add_to(bias_));
  for (size_t i = 0; i < adapters_.size(); ++i) {
    const auto& [a, b, scale, dropout] = adapters_[i].weights;
    const at::Tensor part = y_gradient.narrow(1, adapters_[i].begin, adapters_[i].size);
    if (b.is_trained()) add_product(b, part.t(), state.inner[i]);
    if (a.is_trained())
      add_product(a, matrix_product(part, b.value).mul_(scale).t(),
                  adapter_input(x, state.kept[i]));
  }
}

at::Tensor Linear::input_gradient(const at::Tensor& y_gradient, const State& state,
                                  bool rounds) const {
  if (rounds) return rounded_product(y_gradient, matrix());
  at::Tensor x_gradient = matrix_product(y_gradient, matrix(), precision_);
  for (size_t i = 0; i < adapters_.size(); ++i) {
    const auto& [a, b, scale, dropout] = adapters_[i].weights;
    const at::Tensor part = y_gradient.narrow(1, adapters_[i].begin, adapters_[i].size);
    const at::Tensor inner = matrix_product(part, b.value).mul_(scale);
    const at::Tensor& kept = state.kept[i];
    if (kept.defined()) {
      x_gradient.add_(matrix_product(inner, a.value).mul_(kept));
    } else {
      multiply_into(x_gradient, inner, a.value, ProductPrecision::kFloat32, Writing::kAdd);
    }
  }
  return x_gradient;
}

bool Linear::has_cross_entropy(const at::Device& device) const {
  return adapters_.empty() && !bias_.value.defined() && !transposed_ &&
         has_linear_cross_entropy(device, precision_);
}

CrossEntropySums Linear::cross_entropy(const at::Tensor& x, const at::Tensor& targets,
                                       const at::Tensor& weights, const at::Tensor& weight_sum,
                                       const at::Tensor& x_gradient) const {
  HeadGradientSum weight_gradient;
  if (weight_.is_trained()) {
    const auto& [sum, is_fresh] = weight_.gradient->values();
    weight_gradient = {sum, !is_fresh};
  }
  return linear_cross_entropy_gradient(x, weight_.value, targets, weights, weight_sum, precision_,
                                       x_gradient, weight_gradient);
}

PositionEvaluations Linear::evaluate(const at::Tensor& x, const at::Tensor& targets,
                                     const CountedVocabulary& vocabulary) const {
  return evaluate_linear_head(x, weight_.value, targets, vocabulary, precision_);
}

at::Tensor Linear::backward(const at::Tensor& y_gradient, const at::Tensor& x,
                            const State& state) const {
  add_gradients(y_gradient, x, state);
  return input_gradient(y_gradient, state, /*rounds=*/x.scalar_type() == at::kBFloat16);
}

}  // namespace pdl
