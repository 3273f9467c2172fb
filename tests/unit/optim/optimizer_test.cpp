#include "pdl/optim/optimizer.h"

#include <ATen/Context.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "pdl/base/error.h"

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
  const auto optimizer = make_optimizer(with_decay_rule(parameters), options);
  for (int step = 0; step < 5; ++step) {
    const double rate = 0.01 * (step + 1);
    for (const NamedTensor& named : parameters)
      named.tensor.mutable_grad() = at::randn(named.tensor.sizes());
    matrix.step(parameters[0].tensor.grad().flatten()[5].item<double>(), rate, 0.1, options);
    vector.step(parameters[1].tensor.grad()[2].item<double>(), rate, 0.0, options);
    optimizer->step(rate);
  }
  EXPECT_NEAR(parameters[0].tensor.flatten()[5].item<double>(), matrix.value, 1e-6);
  EXPECT_NEAR(parameters[1].tensor[2].item<double>(), vector.value, 1e-6);
  EXPECT_FALSE(parameters[0].tensor.grad().defined());  // released
}

// A rank that did not contribute to a parameter's gradient must do what the others do.
TEST(AdamWTest, AMissingGradientIsZero) {
  OptimizerOptions options;
  options.weight_decay = 0.1;
  const auto trained = [&](bool is_missing) {
    at::manual_seed(3);
    const std::vector<NamedTensor> parameters = {parameter("matrix", {2, 3}),
                                                 parameter("vector", {3})};
    const auto optimizer = make_optimizer(with_decay_rule(parameters), options);
    for (int step = 0; step < 3; ++step) {
      for (const NamedTensor& named : parameters) {
        const bool is_absent = step == 1;
        if (is_absent && is_missing) continue;
        named.tensor.mutable_grad() = at::full(named.tensor.sizes(), is_absent ? 0.0 : 1.0 + step);
      }
      EXPECT_EQ(optimizer->gradients().size(), 2U);
      optimizer->step(0.1);
    }
    std::vector<at::Tensor> all = {parameters[0].tensor, parameters[1].tensor};
    for (const NamedTensor& state : optimizer->state()) all.push_back(state.tensor);
    return all;
  };
  const auto missing = trained(true);
  const auto zero = trained(false);
  for (size_t i = 0; i < zero.size(); ++i) EXPECT_TRUE(at::equal(missing[i], zero[i])) << i;
}

TEST(AdamWTest, DecaysWhatItIsToldToDecay) {
  OptimizerOptions options;
  options.weight_decay = 0.5;
  const NamedTensor matrix = parameter("matrix", {2, 2});
  const NamedTensor vector = parameter("vector", {2});
  const at::Tensor matrix_before = matrix.tensor.detach().clone();
  const at::Tensor vector_before = vector.tensor.detach().clone();
  const auto optimizer = make_optimizer({{matrix, false}, {vector, true}}, options);
  optimizer->step(0.1);  // all gradients are zero, so only decay acts
  EXPECT_TRUE(at::equal(matrix.tensor, matrix_before));
  EXPECT_TRUE(vector.tensor.allclose(vector_before.mul(0.95)));
}

TEST(SgdTest, IsTheAlgorithmWithMomentumAndDecoupledDecayOfMatrices) {
  at::manual_seed(2);
  OptimizerOptions options;
  options.optim = OptimizerType::kSgd;
  options.momentum = 0.8;
  options.weight_decay = 0.1;
  const std::vector<NamedTensor> parameters = {parameter("matrix", {2, 3}),
                                               parameter("vector", {4})};
  const auto optimizer = make_optimizer(with_decay_rule(parameters), options);
  ASSERT_EQ(optimizer->state().size(), 2U);
  EXPECT_EQ(optimizer->state()[0].name, "matrix.momentum_buffer");
  auto matrix = parameters[0].tensor.flatten()[5].item<double>();
  auto vector = parameters[1].tensor[2].item<double>();
  double matrix_velocity = 0;
  double vector_velocity = 0;
  for (int step = 0; step < 5; ++step) {
    const double rate = 0.01 * (step + 1);
    for (const NamedTensor& named : parameters)
      named.tensor.mutable_grad() = at::randn(named.tensor.sizes());
    matrix_velocity =
        0.8 * matrix_velocity + parameters[0].tensor.grad().flatten()[5].item<double>();
    vector_velocity = 0.8 * vector_velocity + parameters[1].tensor.grad()[2].item<double>();
    matrix = matrix * (1 - rate * 0.1) - rate * matrix_velocity;
    vector -= rate * vector_velocity;
    optimizer->step(rate);
  }
  EXPECT_NEAR(parameters[0].tensor.flatten()[5].item<double>(), matrix, 1e-6);
  EXPECT_NEAR(parameters[1].tensor[2].item<double>(), vector, 1e-6);
}

TEST(SgdTest, WithoutMomentumHasNoState) {
  OptimizerOptions options;
  options.optim = OptimizerType::kSgd;
  options.momentum = 0;
  const std::vector<NamedTensor> parameters = {parameter("vector", {4})};
  const at::Tensor before = parameters[0].tensor.detach().clone();
  const auto optimizer = make_optimizer(with_decay_rule(parameters), options);
  EXPECT_TRUE(optimizer->state().empty());
  parameters[0].tensor.mutable_grad() = at::full({4}, 2.0);
  optimizer->step(0.25);
  EXPECT_TRUE(at::equal(parameters[0].tensor, before.sub(0.5)));
}

class EveryOptimizerTest : public testing::TestWithParam<OptimizerType> {
 protected:
  EveryOptimizerTest() {
    at::manual_seed(5);
    parameters_ = {parameter("matrix", {20, 30}), parameter("vector", {40})};
    options_.optim = GetParam();
    options_.weight_decay = 0.1;
    for (int i = 0; i < 2; ++i) {
      for (const NamedTensor& named : parameters_) {
        gradients_.push_back(at::randn(named.tensor.sizes()));
      }
    }
  }

  // Returns the parameters after two updates with the gradients, `change`d.
  std::vector<at::Tensor> trained(const std::function<void(at::Tensor&)>& change,
                                  const UpdateScaling& first, const UpdateScaling& second) const {
    std::vector<NamedTensor> parameters;
    for (const NamedTensor& named : parameters_) {
      parameters.push_back({named.name, named.tensor.detach().clone().set_requires_grad(true), {}});
    }
    const auto optimizer = make_optimizer(with_decay_rule(parameters), options_);
    for (size_t i = 0; i < 2; ++i) {
      for (size_t k = 0; k < 2; ++k) {
        at::Tensor gradient = gradients_[2 * i + k].clone();
        change(gradient);
        parameters[k].tensor.mutable_grad() = gradient;
      }
      optimizer->step(0.01, i == 0 ? first : second);
    }
    return {parameters[0].tensor, parameters[1].tensor};
  }

  std::vector<NamedTensor> parameters_;
  std::vector<at::Tensor> gradients_;
  OptimizerOptions options_;
};

INSTANTIATE_TEST_SUITE_P(, EveryOptimizerTest,
                         testing::Values(OptimizerType::kAdamW, OptimizerType::kSgd));

TEST_P(EveryOptimizerTest, DividesGradientsByTheDivisor) {
  const UpdateScaling four{.divisor = at::full({}, 4.0F), .skip = at::full({}, 0.0F)};
  const auto divided = trained([](at::Tensor&) {}, four, four);
  const auto expected = trained([](at::Tensor& gradient) { gradient.div_(4); }, {}, {});
  for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(at::equal(divided[i], expected[i]));
}

TEST_P(EveryOptimizerTest, ASkippedUpdateLeavesNoTrace) {
  const UpdateScaling skip{.divisor = at::full({}, 2.0F), .skip = at::full({}, 1.0F)};
  const auto nothing = [](at::Tensor& gradient) {
    gradient.fill_(std::numeric_limits<float>::quiet_NaN());
  };
  const auto unchanged = trained(nothing, skip, skip);
  for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(at::equal(unchanged[i], parameters_[i].tensor));

  // an update after a skipped one is the first
  const auto late = trained([](at::Tensor&) {}, skip, {});
  std::swap(gradients_[0], gradients_[2]);
  std::swap(gradients_[1], gradients_[3]);
  const auto early = trained([](at::Tensor&) {}, {}, skip);
  for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(at::equal(late[i], early[i]));
}

TEST_P(EveryOptimizerTest, ASparseGradientIsRefusedByName) {
  const auto optimizer = make_optimizer(with_decay_rule(parameters_), options_);
  parameters_[0].tensor.mutable_grad() = at::eye(20, 30).to_sparse();
  for (const auto& call : std::vector<std::function<void()>>{[&] { optimizer->gradients(); },
                                                             [&] { optimizer->step(0.1); }}) {
    try {
      call();
      FAIL();
    } catch (const ModelError& problem) {
      EXPECT_NE(std::string(problem.what()).find("'matrix' a sparse gradient"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace pdl
