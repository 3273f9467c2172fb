// A tensor and what it is called.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace pdl {

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
  std::vector<std::string> aliases;  // further names of a tied tensor
};

}  // namespace pdl
