// The product of a layer: x Wᵀ + b.
#pragma once

#include <ATen/core/Tensor.h>

#include "parameters.h"

namespace pdl {

// A matrix W [out, in], or [in, out] as GPT-2's Conv1D stores it, and a bias [out] or none.
// Products are computed in float32, or in bfloat16 if `compute_dtype` says so, and added up in
// float32.
class Linear {
 public:
  Linear() = default;
  Linear(Parameter weight, Parameter bias, bool transposed);

  // Returns y [N, out] float32 for x [N, in] float32.
  at::Tensor forward(const at::Tensor& x) const;

  // Adds the gradients of weight and bias for that of y, with the x of forward(), and returns that
  // of x.
  at::Tensor backward(const at::Tensor& y_gradient, const at::Tensor& x) const;

  bool is_trained() const { return weight_.is_trained() || bias_.is_trained(); }

  // Products are in this dtype; from the next call on the weight is rounded to it. It is rounded
  // again when round_weight() is called, after an update.
  void set_compute_dtype(at::ScalarType dtype) { compute_dtype_ = dtype; }
  void round_weight();
  void drop_rounded() { rounded_.reset(); }

 private:
  at::Tensor product_weight() const { return rounded_.defined() ? rounded_ : weight_.value; }

  Parameter weight_;
  Parameter bias_;
  bool transposed_ = false;
  at::ScalarType compute_dtype_ = at::kFloat;
  at::Tensor rounded_;  // the weight in compute_dtype_, if that is not float32
};

// Adds a·b to the gradient of `parameter`, or writes it if the gradient is fresh.
void add_product(const Parameter& parameter, const at::Tensor& a, const at::Tensor& b);
// Fills a fresh gradient with zeros and returns it, to be added to.
at::Tensor gradient_to_add_to(const Parameter& parameter);

}  // namespace pdl
