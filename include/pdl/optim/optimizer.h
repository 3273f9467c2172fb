// AdamW and SGD on LibTorch's fused kernels, one pass over parameters, gradients and moments: the
// same numbers as torch.optim.AdamW(fused=True) and, without decay, torch.optim.SGD(fused=True).
// Decay is decoupled in both: p -= rate·decay·p, apart from gradients and moments.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/tensors/named_tensor.h"

namespace pdl {

// Tensors that scale or skip an update, on the device so that the host need not wait for their
// values.
struct UpdateScaling {
  // [] float32, by which gradients are divided first. Undefined: they are not divided.
  at::Tensor divisor;
  // [] float32. If it is 1, nothing is updated, nor counted as an update. Undefined: 0.
  at::Tensor skip;
};

// A trained tensor, and whether weight decay applies to it.
struct OptimizerParameter {
  NamedTensor parameter;
  bool decays = true;
};

// Applies the usual rule to `trained`: tensors of two or more dimensions decay, norms and biases do
// not.
std::vector<OptimizerParameter> with_decay_rule(const std::vector<NamedTensor>& trained);

// Updates its parameters in place. A missing gradient counts as zero: moments and decay still act,
// so that a step is the same whichever rank computes which part of it.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // Does one update with gradients(), which are then released. Throws as that does.
  void step(double learning_rate, const UpdateScaling& scaling = {});
  void release_gradients();

  // Returns the gradients of all parameters; a missing one is created with zeros. Throws ModelError
  // for one that is not dense.
  std::vector<at::Tensor> gradients();
  // The tensors that the next step depends on, under "<parameter>.<name>", sharing memory with
  // this.
  const std::vector<NamedTensor>& state() const { return state_; }

 protected:
  // Parameters with the same decay, and for each a tensor of every kind of state.
  struct Group {
    double weight_decay = 0;
    std::vector<at::Tensor> parameters;
    std::vector<std::string> names;  // of the parameters
    std::vector<std::vector<at::Tensor>> states;  // [kind][parameter]
  };

  // Creates for each parameter a float32 tensor of its shape for each of `state_names`. If
  // `count_name` is not empty, a [] float32 that counts the updates comes last.
  Optimizer(const std::vector<OptimizerParameter>& parameters, double weight_decay,
            const std::vector<std::string>& state_names, const std::string& count_name);

  virtual void update(const Group& group, const std::vector<at::Tensor>& gradients,
                      double learning_rate, const UpdateScaling& scaling) = 0;

 private:
  std::vector<Group> groups_;
  std::vector<NamedTensor> state_;
};

// adamw: Loshchilov and Hutter, 2019; state "exp_avg", "exp_avg_sq" and "step".
// sgd: p -= rate·decay·p, v = momentum·v + g, p -= rate·v; state "momentum_buffer", if momentum > 0.
std::unique_ptr<Optimizer> make_optimizer(const std::vector<OptimizerParameter>& parameters,
                                          const OptimizerOptions& options);

}  // namespace pdl
