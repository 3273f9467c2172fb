#include "pdl/optim/adamw.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

namespace pdl {

AdamW::AdamW(const std::vector<NamedTensor>& parameters, const OptimizerOptions& options)
    : options_(options) {
  groups_.resize(2);
  groups_[0].weight_decay = options.weight_decay;
  for (const NamedTensor& parameter : parameters) {
    const at::Tensor& tensor = parameter.tensor;
    if (!tensor.requires_grad()) continue;
    Group& group = groups_[tensor.dim() >= 2 ? 0 : 1];
    group.parameters.push_back(tensor);
    group.exp_avgs.push_back(at::zeros_like(tensor.detach()));
    group.exp_avg_sqs.push_back(at::zeros_like(tensor.detach()));
    group.steps.push_back(at::zeros({}, tensor.options().dtype(at::kFloat).requires_grad(false)));
    state_.push_back({parameter.name + ".exp_avg", group.exp_avgs.back(), {}});
    state_.push_back({parameter.name + ".exp_avg_sq", group.exp_avg_sqs.back(), {}});
    state_.push_back({parameter.name + ".step", group.steps.back(), {}});
  }
}

void AdamW::step(double learning_rate) {
  for (const Group& group : groups_) update(group, learning_rate);
  release_gradients();
}

void AdamW::update(const Group& group, double learning_rate) const {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> parameters;
  std::vector<at::Tensor> gradients;
  std::vector<at::Tensor> exp_avgs;
  std::vector<at::Tensor> exp_avg_sqs;
  std::vector<at::Tensor> steps;
  for (size_t i = 0; i < group.parameters.size(); ++i) {
    if (!group.parameters[i].grad().defined()) continue;
    parameters.push_back(group.parameters[i]);
    gradients.push_back(group.parameters[i].grad());
    exp_avgs.push_back(group.exp_avgs[i]);
    exp_avg_sqs.push_back(group.exp_avg_sqs[i]);
    steps.push_back(group.steps[i]);
    steps.back().add_(1);  // the kernel reads the number of the update it makes
  }
  if (parameters.empty()) return;
  at::_fused_adamw_(parameters, gradients, exp_avgs, exp_avg_sqs, /*max_exp_avg_sqs=*/{}, steps,
                    learning_rate, options_.adam_beta1, options_.adam_beta2, group.weight_decay,
                    options_.adam_epsilon, /*amsgrad=*/false, /*maximize=*/false);
}

void AdamW::release_gradients() {
  for (const Group& group : groups_) {
    for (const at::Tensor& parameter : group.parameters) parameter.mutable_grad().reset();
  }
}

std::vector<at::Tensor> AdamW::gradients() const {
  std::vector<at::Tensor> all;
  for (const Group& group : groups_) {
    for (const at::Tensor& parameter : group.parameters) {
      if (parameter.grad().defined()) all.push_back(parameter.grad());
    }
  }
  return all;
}

}  // namespace pdl
