// The product of a layer: x Wᵀ + b.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "lora.h"
#include "parameters.h"

namespace pdl {

// An adapter of rows [begin, begin + size) of y.
struct LinearAdapter {
  LoraParameters weights;
  int64_t begin = 0;
  int64_t size = 0;
};

// A matrix W [out, in], or [in, out] as GPT-2's Conv1D stores it, a bias [out] or none, and the
// adapters of its parts. Products are computed in float32, or in bfloat16 if `compute_dtype` says
// so, and added up in float32; adapters always in float32.
class Linear {
 public:
  // What backward needs beside x.
  struct State {
    std::vector<at::Tensor> kept;  // by the dropout of each adapter: 0, or 1 / (1 - p)
  };

  Linear() = default;
  Linear(Parameter weight, Parameter bias, bool transposed);
  void attach(LinearAdapter adapter) { adapters_.push_back(std::move(adapter)); }

  // Returns y [N, out] float32 for x [N, in] float32. `drops`: with the dropout of adapters.
  at::Tensor forward(const at::Tensor& x, bool drops, State& state) const;

  // Adds the gradients of what is trained for that of y, with the x of forward().
  void add_gradients(const at::Tensor& y_gradient, const at::Tensor& x, const State& state) const;
  // Returns the gradient of x for that of y.
  at::Tensor input_gradient(const at::Tensor& y_gradient, const State& state) const;
  // Both.
  at::Tensor backward(const at::Tensor& y_gradient, const at::Tensor& x, const State& state) const;

  bool is_trained() const;

  // Products are in this dtype; from the next call on the weight is rounded to it. It is rounded
  // again when round_weight() is called, after an update.
  void set_compute_dtype(at::ScalarType dtype) { compute_dtype_ = dtype; }
  void round_weight();

 private:
  // The weight as it is stored, or rounded to the dtype of products.
  at::Tensor product_weight() const;
  // x Wᵀ and y W in the dtype of products.
  at::Tensor multiply_forward(const at::Tensor& x) const;
  at::Tensor multiply_back(const at::Tensor& y) const;

  Parameter weight_;
  Parameter bias_;
  std::vector<LinearAdapter> adapters_;
  bool transposed_ = false;
  at::ScalarType compute_dtype_ = at::kFloat;
  at::Tensor rounded_;  // the weight in compute_dtype_, if that is not its own
};

// Fills a fresh gradient with zeros and returns it, to be added to.
at::Tensor gradient_to_add_to(const Parameter& parameter);

}  // namespace pdl
