// The weights of a decoder in one buffer, and their gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pdl/model/families/decoder_spec.h"

namespace pdl {

// Where the gradient of the weights of one product is added up. Its memory is that of their grad(),
// so that it is there from the first addition of a step until the optimizer lets go of it: then
// activations can have it.
class GradientSum {
 public:
  // `weights` are leaves, one below the other; those that require a gradient get grad(). All the
  // gradients that are made beside this one have `bytes_of_all` together.
  GradientSum(std::vector<at::Tensor> weights, int64_t bytes_of_all);

  struct Values {
    at::Tensor sum;         // float32, of all weights
    bool is_fresh = false;  // it was made by this call, of any content
  };
  Values values() const;

  // Whether all gradients together leave the caches before the optimizer reads them.
  bool outgrows_caches() const;

 private:
  at::Tensor make() const;

  std::vector<at::Tensor> weights_;
  std::vector<int64_t> shape_;
  int64_t bytes_of_all_;
};

// A weight, and where its gradient is added up. Consecutive weights of one product count as one.
struct Parameter {
  at::Tensor value = {};                       // a view of the buffer
  std::shared_ptr<GradientSum> gradient = {};  // of all that add to it; null: it is not trained

  bool is_trained() const { return gradient != nullptr; }
};

// Lays tensors out in one buffer: matrices first, then vectors, in the order given. Those that join
// the one before follow it without a gap; others begin at a multiple of 64 bytes. Values are what
// the memory held.
class FlatTensors {
 public:
  FlatTensors() = default;
  FlatTensors(const std::vector<TensorSpec>& tensors, const at::TensorOptions& options);

  // A view of the shape that was given.
  at::Tensor view(const std::string& name) const;
  // A view of `names`, which must follow one another: all rows of their matrices, or all elements
  // of their vectors.
  at::Tensor joined(const std::vector<std::string>& names) const;

 private:
  struct Place {
    int64_t begin = 0;
    std::vector<int64_t> shape;
  };

  at::Tensor buffer_;
  std::map<std::string, Place> places_;
};

// Tensors, and the gradients of those that are trained.
class TrainedTensors {
 public:
  TrainedTensors() = default;
  // The values are of `options` and not set; nothing is trained yet.
  TrainedTensors(std::vector<TensorSpec> tensors, const at::TensorOptions& options);

  const std::vector<TensorSpec>& specs() const { return specs_; }
  // A leaf of its own for each tensor, which shares memory with the buffer.
  const std::vector<at::Tensor>& values() const { return values_; }

  // Lets the values() that require a gradient have one, and those that one product reads with them.
  // Call it once.
  void train();

  // Returns the weights of these names, which follow one another, as one; without a value if there
  // is no such tensor. There is a gradient if they are all that one product reads, and one of them
  // is trained.
  Parameter find(const std::vector<std::string>& names) const;

 private:
  std::vector<TensorSpec> specs_;
  FlatTensors flat_;
  std::vector<at::Tensor> values_;
  std::map<std::vector<std::string>, std::shared_ptr<GradientSum>> gradients_;  // by product
};

}  // namespace pdl
