#include "pdl/optim/adamw.h"

#include <ATen/Context.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <cmath>

namespace pdl {
namespace {

NamedTensor parameter(const std::string& name, at::IntArrayRef shape) {
  return {name, at::randn(shape).set_requires_grad(true), {}};
}

// Loshchilov and Hutter's algorithm 2 on one number, in float64.
struct ScalarAdamW {
  double value;
  double m = 0;
  double v = 0;
  int steps = 0;

  void step(double gradient, double rate, double decay, const OptimizerOptions& options) {
    ++steps;
    m = options.adam_beta1 * m + (1 - options.adam_beta1) * gradient;
    v = options.adam_beta2 * v + (1 - options.adam_beta2) * gradient * gradient;
    const double m_hat = m / (1 - std::pow(options.adam_beta1, steps));
    const double v_hat = v / (1 - std::pow(options.adam_beta2, steps));
    value -= rate * (m_hat / (std::sqrt(v_hat) + options.adam_epsilon) + decay * value);
  }
};

TEST(AdamWTest, IsTheAlgorithmAndDecaysMatricesAlone) {
  at::manual_seed(1);
  OptimizerOptions options;
  options.weight_decay = 0.1;
  const std::vector<NamedTensor> parameters = {parameter("matrix", {2, 3}),
                                               parameter("vector", {4})};
  ScalarAdamW matrix{parameters[0].tensor.flatten()[5].item<double>()};
  ScalarAdamW vector{parameters[1].tensor[2].item<double>()};
  AdamW optimizer(parameters, options);
  for (int step = 0; step < 5; ++step) {
    const double rate = 0.01 * (step + 1);
    for (const NamedTensor& named : parameters)
      named.tensor.mutable_grad() = at::randn(named.tensor.sizes());
    matrix.step(parameters[0].tensor.grad().flatten()[5].item<double>(), rate, 0.1, options);
    vector.step(parameters[1].tensor.grad()[2].item<double>(), rate, 0.0, options);
    optimizer.step(rate);
  }
  EXPECT_NEAR(parameters[0].tensor.flatten()[5].item<double>(), matrix.value, 1e-6);
  EXPECT_NEAR(parameters[1].tensor[2].item<double>(), vector.value, 1e-6);
  EXPECT_FALSE(parameters[0].tensor.grad().defined());  // released
}

TEST(AdamWTest, LeavesFrozenAndUnusedParametersAlone) {
  const std::vector<NamedTensor> parameters = {parameter("used", {3}), parameter("unused", {3}),
                                               parameter("frozen", {3})};
  parameters[2].tensor.set_requires_grad(false);
  const at::Tensor unused = parameters[1].tensor.detach().clone();
  const at::Tensor frozen = parameters[2].tensor.detach().clone();
  AdamW optimizer(parameters, {});
  EXPECT_EQ(optimizer.state().size(), 6U);  // three tensors for each of two parameters
  parameters[0].tensor.mutable_grad() = at::full({3}, 1.0);
  EXPECT_EQ(optimizer.gradients().size(), 1U);
  optimizer.step(0.1);
  EXPECT_TRUE(at::equal(parameters[1].tensor, unused));
  EXPECT_TRUE(at::equal(parameters[2].tensor, frozen));
}

}  // namespace
}  // namespace pdl
