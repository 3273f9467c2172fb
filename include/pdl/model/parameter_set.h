// The tensors of a model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pdl/tensors/named_tensor.h"

namespace pdl {

// Each distinct tensor once: a tied one under its first name.
struct ParameterSet {
  std::vector<NamedTensor> trained;  // require a gradient; float32
  std::vector<NamedTensor> frozen;   // parameters that are not trained
  std::vector<NamedTensor> buffers;  // no parameters; a forward in training may change them

  // All of them, in this order: the model's part of a checkpoint.
  std::vector<NamedTensor> all() const;
};

// Parts `parameters` into those that require a gradient and the others. Those whose name (any of a
// tied one's names) an expression of `freeze` matches anywhere are frozen first: requires_grad is
// switched off. Throws ConfigError for an expression that matches no name and if nothing is left to
// train.
ParameterSet part_parameters(const std::vector<NamedTensor>& parameters,
                             const std::vector<std::string>& freeze);

// Elements of the tensors together.
int64_t count_elements(const std::vector<NamedTensor>& tensors);

}  // namespace pdl
