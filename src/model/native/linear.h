// The product of a layer: x Wᵀ + b.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "lora.h"
#include "parameters.h"
#include "pdl/ops/cross_entropy.h"
#include "pdl/ops/evaluate_positions.h"
#include "pdl/ops/product.h"

namespace pdl {

// An adapter of rows [begin, begin + size) of y.
struct LinearAdapter {
  LoraParameters weights;
  int64_t begin = 0;
  int64_t size = 0;
};

// A matrix W [out, in], or [in, out] as GPT-2's Conv1D stores it, a bias [out] or none, and the
// adapters of its parts, whose products are always of float32.
class Linear {
 public:
  // What backward needs beside x.
  struct State {
    std::vector<at::Tensor> kept;   // by the dropout of each adapter: 0, or 1 / (1 - p)
    std::vector<at::Tensor> inner;  // scale·x·Aᵀ of each adapter
  };

  struct Mode {
    bool drops = false;    // the dropout of adapters is on
    bool rounds = false;   // y is bfloat16, else float32; only if can_round()
    bool decodes = false;  // x has the next tokens of sequences, few rows, in float32
  };

  Linear() = default;
  Linear(Parameter weight, Parameter bias, bool transposed, ProductPrecision precision);
  void attach(LinearAdapter adapter) { adapters_.push_back(std::move(adapter)); }

  // Whether products are of bfloat16, and no adapter adds to them in float32. Then x and y, and the
  // gradients of them, can be bfloat16.
  bool can_round() const { return precision_ == ProductPrecision::kBfloat16 && adapters_.empty(); }

  // Returns y [N, out] for x [N, in] float32 or, if can_round(), bfloat16.
  at::Tensor forward(const at::Tensor& x, const Mode& mode, State& state) const;

  // Adds the gradients of what is trained for that of y, with the x of forward().
  void add_gradients(const at::Tensor& y_gradient, const at::Tensor& x, const State& state) const;
  // Returns the gradient of x for that of y. `rounds`: as bfloat16, else as float32.
  at::Tensor input_gradient(const at::Tensor& y_gradient, const State& state,
                            bool rounds = false) const;
  // Both; the gradient of x has its dtype.
  at::Tensor backward(const at::Tensor& y_gradient, const at::Tensor& x, const State& state) const;

  bool is_trained() const;

  // Whether y is x Wᵀ, and cross_entropy() and evaluate() have kernels on a device.
  bool has_cross_entropy(const at::Device& device) const;
  // For y as logits that never exist as a whole: writes the gradient of x, adds that of what is
  // trained. See linear_cross_entropy_gradient().
  CrossEntropySums cross_entropy(const at::Tensor& x, const at::Tensor& targets,
                                 const at::Tensor& weights, const at::Tensor& weight_sum,
                                 const at::Tensor& x_gradient) const;
  // See evaluate_linear_head().
  PositionEvaluations evaluate(const at::Tensor& x, const at::Tensor& targets,
                               const CountedVocabulary& vocabulary) const;

 private:
  at::Tensor matrix() const;  // W [out, in]

  Parameter weight_;
  Parameter bias_;
  std::vector<LinearAdapter> adapters_;
  bool transposed_ = false;
  ProductPrecision precision_ = ProductPrecision::kFloat32;
};

// Returns the gradient, to be added to; fills a fresh one with zeros. Undefined: it is not trained.
at::Tensor gradient_to_add_to(const Parameter& parameter);

}  // namespace pdl
