#include "split_head.h"

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace pdl {
namespace {

// While it lives, tensors are multiplied by a power of two: exactly, so that it can be taken back.
class ScaledTensors {
 public:
  ScaledTensors(std::vector<at::Tensor> tensors, int exponent)
      : tensors_(std::move(tensors)), factor_(std::ldexp(1.0, exponent)) {
    multiply(factor_);
  }
  ~ScaledTensors() { multiply(1 / factor_); }
  ScaledTensors(const ScaledTensors&) = delete;
  ScaledTensors& operator=(const ScaledTensors&) = delete;

 private:
  void multiply(double factor) const {
    const at::NoGradGuard no_grad;
    for (const at::Tensor& tensor : tensors_) tensor.mul_(factor);
  }

  std::vector<at::Tensor> tensors_;
  double factor_;
};

// While it lives, every parameter gets a gradient, frozen or not.
class UnfrozenParameters {
 public:
  explicit UnfrozenParameters(const std::vector<NamedTensor>& parameters)
      : parameters_(parameters) {
    for (const NamedTensor& parameter : parameters_) {
      had_gradient_.push_back(parameter.tensor.requires_grad());
      parameter.tensor.set_requires_grad(true);
    }
  }
  ~UnfrozenParameters() {
    for (size_t i = 0; i < parameters_.size(); ++i) {
      parameters_[i].tensor.set_requires_grad(had_gradient_[i]);
    }
  }
  UnfrozenParameters(const UnfrozenParameters&) = delete;
  UnfrozenParameters& operator=(const UnfrozenParameters&) = delete;

 private:
  const std::vector<NamedTensor>& parameters_;
  std::vector<bool> had_gradient_;
};

std::vector<at::Tensor> parameters_of_head(LanguageModel& model, const at::Tensor& hidden,
                                           const std::vector<NamedTensor>& parameters) {
  const at::AutoGradMode with_gradients(true);
  const UnfrozenParameters unfrozen(parameters);
  const at::Tensor logits = model.head(hidden.detach());
  if (logits.requires_grad()) logits.sum().backward();
  std::vector<at::Tensor> of_head;
  for (const NamedTensor& parameter : parameters) {
    at::Tensor& gradient = parameter.tensor.mutable_grad();
    if (gradient.defined()) of_head.push_back(parameter.tensor);
    gradient.reset();
  }
  return of_head;
}

// The power of two that lifts the largest logit to about 100, above what models cap them at.
int exponent_to_large(const at::Tensor& logits) {
  const auto largest =
      logits.detach().to(at::kFloat).nan_to_num(0, 0, 0).abs().max().item<double>();
  if (!(largest > 0)) return 0;
  constexpr double kMax = 30;  // far from where a float32 overflows
  return static_cast<int>(std::lround(std::clamp(std::log2(100 / largest), 0.0, kMax)));
}

class HeadTrial {
 public:
  HeadTrial(LanguageModel& model, const std::function<void()>& restore)
      : model_(model),
        restore_(restore),
        ids_(at::arange(6, at::dtype(at::kLong).device(model.info().device))
                 .remainder(std::min<int64_t>(model.info().vocab_size, 4))
                 .reshape({3, 2})) {}

  at::Tensor forward() const {
    return seeded([&] { return model_.forward(ids_); });
  }
  at::Tensor hidden() const {
    return seeded([&] { return model_.hidden(ids_); });
  }
  bool halves_give(const at::Tensor& logits) const {
    return at::allclose(seeded([&] { return model_.head(model_.hidden(ids_)); }), logits,
                        /*rtol=*/1e-3, /*atol=*/1e-3);
  }

 private:
  // The same random numbers each time, and nothing left of what the call changed.
  at::Tensor seeded(const std::function<at::Tensor()>& call) const {
    at::manual_seed(1);
    at::Tensor result = call();
    restore_();
    return result;
  }

  LanguageModel& model_;
  const std::function<void()>& restore_;
  at::Tensor ids_;
};

}  // namespace

std::string find_head_problem(LanguageModel& model, const std::vector<NamedTensor>& parameters,
                              const std::function<void()>& restore) {
  const at::NoGradGuard no_grad;
  const HeadTrial trial(model, restore);
  model.set_training(false);
  const at::Tensor logits = trial.forward();
  const at::Tensor hidden = trial.hidden();
  const bool are_halves =
      hidden.dim() == 3 && trial.halves_give(logits) &&
      at::allclose(model.head(hidden.reshape({1, 6, -1})), logits.reshape({1, 6, -1}),
                   /*rtol=*/1e-2, /*atol=*/1e-2);
  if (!are_halves) return "are not the two halves of forward";
  const std::vector<at::Tensor> of_head = parameters_of_head(model, hidden, parameters);
  model.set_training(true);
  std::string problem;
  if (!trial.halves_give(trial.forward())) {
    problem = "are not the two halves of forward in training mode";
  } else {
    const ScaledTensors scaled(of_head, exponent_to_large(logits));
    if (!trial.halves_give(trial.forward())) {
      problem = "are the two halves of forward only while logits are small";
    }
  }
  model.set_training(false);
  return problem;
}

}  // namespace pdl
