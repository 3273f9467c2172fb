// Tensors and what they are called.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace pdl {

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
  std::vector<std::string> aliases;  // further names of a tied tensor
};

// Elements [begin, begin + tensor.numel()) of the flattened tensor `name`: all of it, or what one
// rank holds. `tensor` has any shape of as many elements, in their order, and any device.
struct TensorSlice {
  std::string name;
  std::vector<int64_t> global_shape;  // of the tensor that this is a slice of
  int64_t begin = 0;
  at::Tensor tensor;
};

// Slices that are each all of a tensor, and share memory with it.
std::vector<TensorSlice> whole_slices(const std::vector<NamedTensor>& tensors);

}  // namespace pdl
