// The weights of a decoder in one buffer, and their gradients in another.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pdl/model/families/decoder_spec.h"
#include "pdl/tensors/named_tensor.h"

namespace pdl {

// A weight, and where its gradient is added up. Consecutive weights of one product count as one.
struct Parameter {
  at::Tensor value = {};     // float32, a view of the buffer
  at::Tensor gradient = {};  // of the same shape; undefined: it is not trained
  // Shared by all that add to one gradient: true until something has been written since the step
  // began, so that the buffer need not be filled with zeros.
  std::shared_ptr<bool> is_fresh = {};

  bool is_trained() const { return gradient.defined(); }
};

// Lays tensors out in one float32 buffer: matrices first, then vectors, in the order given. Those
// that join the one before follow it without a gap; others begin at a multiple of 64 bytes.
class FlatTensors {
 public:
  FlatTensors() = default;
  FlatTensors(const std::vector<TensorSpec>& tensors, at::Device device);

  const at::Tensor& buffer() const { return buffer_; }
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

}  // namespace pdl
