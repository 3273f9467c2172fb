#include "pdl/optim/optimizer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <optional>

namespace pdl {
namespace {

std::optional<at::Tensor> if_defined(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

class AdamW : public Optimizer {
 public:
  AdamW(const std::vector<NamedTensor>& parameters, const OptimizerOptions& options)
      : Optimizer(parameters, options.weight_decay, {"exp_avg", "exp_avg_sq"}, "step"),
        options_(options) {}

 private:
  void update(const Group& group, const std::vector<at::Tensor>& gradients, double learning_rate,
              const UpdateScaling& scaling) override {
    // The kernel reads the number of the update it makes.
    const std::vector<at::Tensor>& steps = group.states[2];
    at::_foreach_add_(steps, 1);
    if (scaling.skip.defined()) at::_foreach_add_(steps, scaling.skip, /*alpha=*/-1);
    at::_fused_adamw_(group.parameters, gradients, group.states[0], group.states[1],
                      /*max_exp_avg_sqs=*/{}, steps, learning_rate, options_.adam_beta1,
                      options_.adam_beta2, group.weight_decay, options_.adam_epsilon,
                      /*amsgrad=*/false, /*maximize=*/false, if_defined(scaling.divisor),
                      if_defined(scaling.skip));
  }

  OptimizerOptions options_;
};

class Sgd : public Optimizer {
 public:
  Sgd(const std::vector<NamedTensor>& parameters, const OptimizerOptions& options)
      : Optimizer(parameters, options.weight_decay, state_names(options.momentum), ""),
        momentum_(options.momentum) {}

 private:
  void update(const Group& group, const std::vector<at::Tensor>& gradients, double learning_rate,
              const UpdateScaling& scaling) override {
    // With buffers of zeros the first step needs no other rule than the rest.
    const std::vector<at::Tensor> buffers =
        momentum_ > 0 ? group.states[0] : std::vector<at::Tensor>{};
    at::_fused_sgd_(group.parameters, gradients, buffers, group.weight_decay, momentum_,
                    learning_rate, /*dampening=*/0, /*nesterov=*/false, /*maximize=*/false,
                    /*is_first_step=*/false, if_defined(scaling.divisor), if_defined(scaling.skip));
  }

  static std::vector<std::string> state_names(double momentum) {
    if (momentum > 0) return {"momentum_buffer"};
    return {};
  }

  double momentum_;
};

}  // namespace

Optimizer::Optimizer(const std::vector<NamedTensor>& parameters, double weight_decay,
                     const std::vector<std::string>& state_names, const std::string& count_name) {
  groups_.resize(2);
  groups_[0].weight_decay = weight_decay;
  for (Group& group : groups_) group.states.resize(state_names.size() + !count_name.empty());
  for (const NamedTensor& parameter : parameters) {
    const at::Tensor& tensor = parameter.tensor;
    if (!tensor.requires_grad()) continue;
    Group& group = groups_[tensor.dim() >= 2 ? 0 : 1];
    group.parameters.push_back(tensor);
    const auto add_state = [&](size_t kind, const std::string& name, const at::Tensor& state) {
      group.states[kind].push_back(state);
      state_.push_back({parameter.name + "." + name, state, {}});
    };
    for (size_t kind = 0; kind < state_names.size(); ++kind) {
      add_state(kind, state_names[kind], at::zeros_like(tensor.detach()));
    }
    if (!count_name.empty()) {
      add_state(state_names.size(), count_name,
                at::zeros({}, tensor.options().dtype(at::kFloat).requires_grad(false)));
    }
  }
}

void Optimizer::step(double learning_rate, const UpdateScaling& scaling) {
  const at::NoGradGuard no_grad;
  for (const Group& group : groups_) {
    Group present{.weight_decay = group.weight_decay, .parameters = {}, .states = {}};
    present.states.resize(group.states.size());
    std::vector<at::Tensor> gradients;
    for (size_t i = 0; i < group.parameters.size(); ++i) {
      if (!group.parameters[i].grad().defined()) continue;
      present.parameters.push_back(group.parameters[i]);
      gradients.push_back(group.parameters[i].grad());
      for (size_t kind = 0; kind < group.states.size(); ++kind) {
        present.states[kind].push_back(group.states[kind][i]);
      }
    }
    if (!gradients.empty()) update(present, gradients, learning_rate, scaling);
  }
  release_gradients();
}

void Optimizer::release_gradients() {
  for (const Group& group : groups_) {
    for (const at::Tensor& parameter : group.parameters) parameter.mutable_grad().reset();
  }
}

std::vector<at::Tensor> Optimizer::gradients() const {
  std::vector<at::Tensor> all;
  for (const Group& group : groups_) {
    for (const at::Tensor& parameter : group.parameters) {
      if (parameter.grad().defined()) all.push_back(parameter.grad());
    }
  }
  return all;
}

std::unique_ptr<Optimizer> make_optimizer(const std::vector<NamedTensor>& parameters,
                                          const OptimizerOptions& options) {
  if (options.optim == OptimizerType::kSgd) return std::make_unique<Sgd>(parameters, options);
  return std::make_unique<AdamW>(parameters, options);
}

}  // namespace pdl
