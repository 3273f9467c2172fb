// AdamW (Loshchilov and Hutter, 2019) on LibTorch's fused kernel: the same numbers as
// torch.optim.AdamW(fused=True).
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/model/language_model.h"

namespace pdl {

// Holds two float32 moments for each trained parameter. Weight decay acts on tensors of two or more
// dimensions alone: norms and biases are not decayed.
class AdamW {
 public:
  // Takes the parameters that require a gradient; they are updated in place.
  AdamW(const std::vector<NamedTensor>& parameters, const OptimizerOptions& options);

  // One update with the gradients that backward() left, which are then released. A parameter
  // without a gradient is left alone.
  void step(double learning_rate);
  void release_gradients();

  // The gradients that are there, of all parameters.
  std::vector<at::Tensor> gradients() const;
  // All that the next step depends on: "<parameter>.exp_avg", ".exp_avg_sq" and ".step", sharing
  // memory with this.
  const std::vector<NamedTensor>& state() const { return state_; }

 private:
  struct Group {
    double weight_decay = 0;
    std::vector<at::Tensor> parameters;
    std::vector<at::Tensor> exp_avgs;
    std::vector<at::Tensor> exp_avg_sqs;
    std::vector<at::Tensor> steps;  // [] float32, updates so far
  };
  void update(const Group& group, double learning_rate) const;

  OptimizerOptions options_;
  std::vector<Group> groups_;
  std::vector<NamedTensor> state_;
};

}  // namespace pdl
