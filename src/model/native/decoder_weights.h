// The weights of a decoder in memory, and which of them are trained.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "lora.h"
#include "parameters.h"
#include "pdl/model/load_model.h"
#include "pdl/model/parameter_set.h"
#include "stored_weights.h"

namespace pdl {

// Without LoRA all weights are float32 masters in one buffer. With it they are never changed, and
// are kept in bfloat16 if the files have that, or if products are computed in it; the adapters
// alone are trained.
class DecoderWeights {
 public:
  // Reads the tensors. Throws ModelError, and ConfigError as part_parameters() and LoraAdapters do.
  // `stored` must outlive this.
  DecoderWeights(const DecoderSpec& spec, const StoredWeights& stored, const LoadOptions& options);

  // Returns the weights of these names of list_tensors(), which one product reads, as one; without
  // a value if the decoder has no such tensor.
  Parameter find(const std::vector<std::string>& names) const { return tensors_.find(names); }
  const LoraAdapters& adapters() const { return adapters_; }

  // Under the names of the files, or under PEFT's.
  const ParameterSet& parameters() const { return parameters_; }

  // Returns all tensors in the dtypes and under all names of the files, adapters merged into them:
  // in float32, and rounded once. They read this when they are made.
  std::vector<TensorSource> as_stored() const;

  // The share of the values that training changed which as_stored() rounds to what they were, in
  // [0, 1]; 0 where none changed. Reads the files again.
  double share_lost_by_rounding() const;

 private:
  // The i-th tensor with its adapter, before it is rounded.
  at::Tensor value_of(size_t i) const;
  at::Tensor read(const StoredTensor& tensor, at::ScalarType dtype) const;

  const StoredWeights& stored_;
  bool transposed_;
  TrainedTensors tensors_;
  LoraAdapters adapters_;
  ParameterSet parameters_;
};

}  // namespace pdl
