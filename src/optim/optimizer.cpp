#include "pdl/optim/optimizer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <optional>

#include "pdl/base/error.h"

namespace pdl {
namespace {

std::optional<at::Tensor> if_defined(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

std::vector<at::Tensor> gradients_of(const std::vector<at::Tensor>& parameters,
                                     const std::vector<std::string>& names) {
  std::vector<at::Tensor> gradients;
  for (size_t i = 0; i < parameters.size(); ++i) {
    at::Tensor& gradient = parameters[i].mutable_grad();
    if (!gradient.defined()) gradient = at::zeros_like(parameters[i].detach());
    if (gradient.layout() != at::kStrided) {
      throw ModelError("the model gives parameter '" + names[i] +
                       "' a sparse gradient, which cannot be trained; make its embedding with "
                       "sparse=False");
    }
    gradients.push_back(gradient);
  }
  return gradients;
}

class AdamW : public Optimizer {
 public:
  AdamW(const std::vector<OptimizerParameter>& parameters, const OptimizerOptions& options)
      : Optimizer(parameters, options.weight_decay, {"exp_avg", "exp_avg_sq"}, "step"),
        options_(options) {}

 private:
  void update(const Group& group, const std::vector<at::Tensor>& gradients, double learning_rate,
              const UpdateScaling& scaling) override {
    // The kernel expects the number of the update that it makes.
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
  Sgd(const std::vector<OptimizerParameter>& parameters, const OptimizerOptions& options)
      : Optimizer(parameters, options.weight_decay, state_names(options.momentum), ""),
        momentum_(options.momentum) {}

 private:
  void update(const Group& group, const std::vector<at::Tensor>& gradients, double learning_rate,
              const UpdateScaling& scaling) override {
    if (group.weight_decay > 0) decay(group, learning_rate * group.weight_decay, scaling.skip);
    // With buffers of zeros the first step needs no special rule.
    const std::vector<at::Tensor> buffers =
        momentum_ > 0 ? group.states[0] : std::vector<at::Tensor>{};
    at::_fused_sgd_(group.parameters, gradients, buffers, /*weight_decay=*/0, momentum_,
                    learning_rate, /*dampening=*/0, /*nesterov=*/false, /*maximize=*/false,
                    /*is_first_step=*/false, if_defined(scaling.divisor), if_defined(scaling.skip));
  }

  // The kernel's own decay is added to the gradient, so that momentum would carry it on.
  static void decay(const Group& group, double share, const at::Tensor& skip) {
    if (!skip.defined()) return at::_foreach_mul_(group.parameters, 1 - share);
    at::_foreach_mul_(group.parameters, skip.sub(1).mul_(share).add_(1));  // exactly 1 if skipped
  }

  static std::vector<std::string> state_names(double momentum) {
    if (momentum > 0) return {"momentum_buffer"};
    return {};
  }

  double momentum_;
};

}  // namespace

Optimizer::Optimizer(const std::vector<OptimizerParameter>& parameters, double weight_decay,
                     const std::vector<std::string>& state_names, const std::string& count_name) {
  groups_.resize(2);
  groups_[0].weight_decay = weight_decay;
  for (Group& group : groups_) group.states.resize(state_names.size() + !count_name.empty());
  for (const auto& [parameter, decays] : parameters) {
    const at::Tensor& tensor = parameter.tensor;
    Group& group = groups_[decays ? 0 : 1];
    group.parameters.push_back(tensor);
    group.names.push_back(parameter.name);
    const std::string prefix = parameter.name + ".";
    const auto add_state = [&](size_t kind, const std::string& name, const at::Tensor& state) {
      group.states[kind].push_back(state);
      state_.push_back({prefix + name, state, {}});
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
    if (!group.parameters.empty())
      update(group, gradients_of(group.parameters, group.names), learning_rate, scaling);
  }
  release_gradients();
}

void Optimizer::release_gradients() {
  for (const Group& group : groups_) {
    for (const at::Tensor& parameter : group.parameters) parameter.mutable_grad().reset();
  }
}

std::vector<at::Tensor> Optimizer::gradients() {
  std::vector<at::Tensor> all;
  for (const Group& group : groups_) {
    const std::vector<at::Tensor> gradients = gradients_of(group.parameters, group.names);
    all.insert(all.end(), gradients.begin(), gradients.end());
  }
  return all;
}

std::vector<OptimizerParameter> with_decay_rule(const std::vector<NamedTensor>& trained) {
  std::vector<OptimizerParameter> parameters;
  for (const NamedTensor& parameter : trained) {
    parameters.push_back({parameter, /*decays=*/parameter.tensor.dim() >= 2});
  }
  return parameters;
}

std::unique_ptr<Optimizer> make_optimizer(const std::vector<OptimizerParameter>& parameters,
                                          const OptimizerOptions& options) {
  if (options.optim == OptimizerType::kSgd) return std::make_unique<Sgd>(parameters, options);
  return std::make_unique<AdamW>(parameters, options);
}

}  // namespace pdl
