// The weights of a decoder in memory, and which of them are trained.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "parameters.h"
#include "pdl/model/parameter_set.h"
#include "stored_weights.h"

namespace pdl {

// Holds all weights as float32 masters in one buffer, and the gradients of those that are trained
// in another.
class DecoderWeights {
 public:
  // Reads the tensors. Throws ModelError, and ConfigError as part_parameters() does.
  DecoderWeights(const StoredWeights& stored, at::Device device,
                 const std::vector<std::string>& freeze);

  // Returns the weights of these names of list_tensors(), which one product reads, as one; without
  // a value if the decoder has no such tensor. If one of them is trained, all have a gradient.
  Parameter find(const std::vector<std::string>& names) const;

  // Under the names of the files.
  const ParameterSet& parameters() const { return parameters_; }

  // Call begin_gradients() before the first gradient of a micro-batch is added: what the trained
  // parameters have no grad() for is new. Call end_gradients() after the last.
  void begin_gradients();
  void end_gradients();

  // Returns all tensors in the dtypes and under all names of the files.
  std::vector<NamedTensor> as_stored() const;

 private:
  using Group = std::vector<size_t>;  // indices of tensors that one product reads

  void train_groups(const std::vector<Group>& groups, at::Device device);

  std::vector<StoredTensor> stored_;
  std::vector<at::Tensor> values_;  // of stored_, as parameters
  std::map<std::string, size_t> index_;
  FlatTensors weights_;
  FlatTensors gradients_;
  std::map<std::string, std::shared_ptr<bool>> is_fresh_;  // of trained tensors
  ParameterSet parameters_;
};

}  // namespace pdl
