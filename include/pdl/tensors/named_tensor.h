// Tensors with their names, and slices of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace pdl {

// A tensor and the names under which a file has it.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;
  std::vector<std::string> aliases;  // further names of a tied tensor
};

// Elements [begin, begin + tensor.numel()) of the flattened tensor `name`: all of it, or the part
// of one rank. `tensor` has those elements in order, in any shape and on any device.
struct TensorSlice {
  std::string name;
  std::vector<int64_t> global_shape;  // of the whole tensor
  int64_t begin = 0;
  at::Tensor tensor;
};

// Returns for each tensor the slice that is all of it and shares memory with it.
std::vector<TensorSlice> whole_slices(const std::vector<NamedTensor>& tensors);

}  // namespace pdl
