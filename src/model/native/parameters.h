// The weights of a decoder in one buffer, and their gradients in another.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pdl/model/families/decoder_spec.h"

namespace pdl {

// A weight, and where its gradient is added up. Consecutive weights of one product count as one.
struct Parameter {
  at::Tensor value = {};     // a view of the buffer
  at::Tensor gradient = {};  // float32 of the same shape; undefined: it is not trained
  // Shared by all that add to one gradient: true until something has been written since the step
  // began, so that the buffer need not be filled with zeros.
  std::shared_ptr<bool> is_fresh = {};

  bool is_trained() const { return gradient.defined(); }
};

// Lays tensors out in one buffer: matrices first, then vectors, in the order given. Those that join
// the one before follow it without a gap; others begin at a multiple of 64 bytes.
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
  // The values are zeros of `options`; nothing is trained yet.
  TrainedTensors(std::vector<TensorSpec> tensors, const at::TensorOptions& options);

  const std::vector<TensorSpec>& specs() const { return specs_; }
  // A leaf of its own for each tensor, which shares memory with the buffer.
  const std::vector<at::Tensor>& values() const { return values_; }

  // Makes gradients for the values() that require one, and for those that one product reads with
  // them. Call it once.
  void train();

  // Returns the weights of these names, which one product reads, as one; without a value if there
  // is no such tensor. If one of them is trained, all have a gradient.
  Parameter find(const std::vector<std::string>& names) const;

  // Call begin_gradients() before the first gradient of a micro-batch is added: what the trained
  // values have no grad() for is new. Call end_gradients() after the last.
  void begin_gradients();
  void end_gradients();

 private:
  std::vector<TensorSpec> specs_;
  FlatTensors flat_;
  std::vector<at::Tensor> values_;
  FlatTensors gradients_;
  std::map<std::string, std::shared_ptr<bool>> is_fresh_;  // of trained tensors
};

}  // namespace pdl
