// The tensors of a model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pdl/tensors/named_tensor.h"

namespace pdl {

// Lists each distinct tensor once, a tied one under its first name.
struct ParameterSet {
  std::vector<NamedTensor> trained;  // require a gradient; float32
  std::vector<NamedTensor> frozen;   // parameters that are not trained
  std::vector<NamedTensor> buffers;  // not parameters
  // Parameters below adapters: nothing changes them, and the model's files have them, so that they
  // are no part of a checkpoint.
  std::vector<NamedTensor> fixed;
  // Those of `buffers` that forward itself changes in training, e.g. the statistics of BatchNorm.
  // Known after LanguageModel::prepare_training().
  std::vector<NamedTensor> changing;

  // Returns trained, frozen and buffers, in this order: the model's part of a checkpoint.
  std::vector<NamedTensor> all() const;
};

// Divides `parameters` into those that require a gradient and the others. First freezes, by
// switching requires_grad off, those with a name that an expression of `freeze` matches anywhere; a
// tied tensor has several names. Throws ConfigError for an expression that matches no name, and if
// nothing is left to train.
ParameterSet part_parameters(const std::vector<NamedTensor>& parameters,
                             const std::vector<std::string>& freeze);

// Returns true unless the strides keep the elements of a tensor apart. An update in place would
// change such elements several times.
bool elements_share_memory(const at::Tensor& tensor);

// Returns the number of elements of all tensors.
int64_t count_elements(const std::vector<NamedTensor>& tensors);

}  // namespace pdl
