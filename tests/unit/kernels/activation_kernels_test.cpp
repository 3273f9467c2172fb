#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <numbers>
#include <random>
#include <vector>

#include "pdl/kernels/cpu_kernels.h"
#include "support/bfloat16.h"
#include "support/instruction_sets.h"

namespace pdl {
namespace {

// f in float64, and its kernels.
struct Function {
  const char* name;
  ActivationKernels<float> Activations<float>::*kernels;
  ActivationKernels<Bfloat16> Activations<Bfloat16>::*bfloat16_kernels;
  std::function<double(double)> value;
  std::function<double(double)> slope;
};

double density(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); }
double normal(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }
double logistic(double x) { return 1 / (1 + std::exp(-x)); }
double silu_slope(double x) { return logistic(x) * (1 + x * logistic(-x)); }
double cubic(double x) { return 2 * std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x); }
double cubic_slope(double x) {
  return 2 * std::sqrt(2 / std::numbers::pi) * (1 + 3 * 0.044715 * x * x);
}

const Function kFunctions[] = {
    {"silu", &Activations<float>::silu, &Activations<Bfloat16>::silu,
     [](double x) { return x * logistic(x); }, silu_slope},
    {"gelu", &Activations<float>::gelu, &Activations<Bfloat16>::gelu,
     [](double x) { return x * normal(x); }, [](double x) { return normal(x) + x * density(x); }},
    {"gelu_tanh", &Activations<float>::gelu_tanh, &Activations<Bfloat16>::gelu_tanh,
     [](double x) { return x * logistic(cubic(x)); },
     [](double x) {
       return logistic(cubic(x)) + x * logistic(cubic(x)) * logistic(-cubic(x)) * cubic_slope(x);
     }},
    {"relu", &Activations<float>::relu, &Activations<Bfloat16>::relu,
     [](double x) { return x > 0 ? x : 0; }, [](double x) { return x > 0 ? 1.0 : 0.0; }},
};

// What float32 can be expected to give: some roundings, and as much of values around `size`.
double tolerance(double exact, double size) { return 4e-7 * (std::abs(exact) + size); }

class ActivationKernelsTest : public testing::TestWithParam<InstructionSet> {};

PDL_FOR_EACH_INSTRUCTION_SET(ActivationKernelsTest);

// From far below what has a value that is not zero to far above, and every length of a last vector.
std::vector<float> inputs(int64_t size) {
  std::mt19937 generator(static_cast<unsigned>(size));
  std::normal_distribution<float> distribution(0, 3);
  std::vector<float> x(static_cast<size_t>(size));
  for (float& value : x) value = distribution(generator);
  const float special[] = {0, -0.f, 1e-6f, -1e-6f, -90, 90, -1e4f, 1e4f, 13, -13};
  for (size_t i = 0; i < std::size(special) && 3 * i < x.size(); ++i) x[3 * i] = special[i];
  return x;
}

TEST_P(ActivationKernelsTest, AgreeWithFloat64) {
  for (const Function& function : kFunctions) {
    SCOPED_TRACE(function.name);
    const auto& kernels = cpu_kernels(GetParam()).float_activations.*function.kernels;
    for (const int64_t size : {1, 2, 3, 7, 8, 15, 16, 17, 33, 64, 1001}) {
      const std::vector<float> x = inputs(size);
      std::vector<float> y(x.size(), NAN);
      kernels.forward(x.data(), nullptr, size, y.data());
      for (size_t i = 0; i < x.size(); ++i) {
        const auto exact = function.value(x[i]);
        ASSERT_NEAR(y[i], exact, tolerance(exact, std::min(1.f, std::abs(x[i])))) << x[i];
      }
      std::vector<float> again(x.size(), NAN);
      std::vector<float> x_gradient(x.size(), NAN);
      const std::vector<float> ones(x.size(), 1);
      kernels.backward(ones.data(), x.data(), nullptr, size, again.data(), x_gradient.data(),
                       nullptr);
      EXPECT_EQ(again, y);
      for (size_t i = 0; i < x.size(); ++i) {
        const double exact = function.slope(x[i]);
        ASSERT_NEAR(x_gradient[i], exact, tolerance(exact, 1)) << x[i];
      }
    }
  }
}

std::vector<Bfloat16> rounded(const std::vector<float>& values) {
  std::vector<Bfloat16> result;
  for (const float value : values) result.push_back(to_bfloat16(value));
  return result;
}

std::vector<float> widened(const std::vector<Bfloat16>& values) {
  std::vector<float> result;
  for (const Bfloat16 value : values) result.push_back(to_float(value));
  return result;
}

TEST_P(ActivationKernelsTest, InBfloat16AreThoseOfFloat32Rounded) {
  for (const Function& function : kFunctions) {
    SCOPED_TRACE(function.name);
    const auto& kernels = cpu_kernels(GetParam()).bfloat16_activations.*function.bfloat16_kernels;
    const auto& exact = cpu_kernels(GetParam()).float_activations.*function.kernels;
    for (const int64_t size : {1, 15, 16, 17, 33, 1001}) {
      const std::vector<Bfloat16> x = rounded(inputs(size));
      const std::vector<Bfloat16> factor = rounded(inputs(size + 1));
      const std::vector<Bfloat16> gradient = rounded(inputs(size + 2));
      const size_t count = x.size();
      std::vector<float> y(count), x_gradient(count), factor_gradient(count);
      exact.backward(widened(gradient).data(), widened(x).data(), widened(factor).data(), size,
                     y.data(), x_gradient.data(), factor_gradient.data());
      std::vector<Bfloat16> to_y(count), to_x(count), to_factor(count), forward(count);
      kernels.forward(x.data(), factor.data(), size, forward.data());
      kernels.backward(gradient.data(), x.data(), factor.data(), size, to_y.data(), to_x.data(),
                       to_factor.data());
      EXPECT_EQ(widened(forward), widened(rounded(y)));
      EXPECT_EQ(widened(to_y), widened(rounded(y)));
      EXPECT_EQ(widened(to_x), widened(rounded(x_gradient)));
      EXPECT_EQ(widened(to_factor), widened(rounded(factor_gradient)));
    }
  }
}

TEST_P(ActivationKernelsTest, NanStays) {
  for (const Function& function : kFunctions) {
    const auto& kernels = cpu_kernels(GetParam()).float_activations.*function.kernels;
    const float x = NAN;
    const float one = 1;
    float y = 0;
    float x_gradient = 0;
    kernels.forward(&x, nullptr, 1, &y);
    EXPECT_TRUE(std::isnan(y)) << function.name;
    kernels.backward(&one, &x, nullptr, 1, &y, &x_gradient, nullptr);
    EXPECT_TRUE(std::isnan(y)) << function.name;
    EXPECT_TRUE(std::isnan(x_gradient) || x_gradient == 1) << function.name;  // 1: of relu
  }
}

// In place, and with a factor.
TEST_P(ActivationKernelsTest, AGateMultipliesForwardAndBackward) {
  for (const Function& function : kFunctions) {
    SCOPED_TRACE(function.name);
    const auto& kernels = cpu_kernels(GetParam()).float_activations.*function.kernels;
    constexpr int64_t kSize = 45;
    const std::vector<float> x = inputs(kSize);
    std::vector<float> plain(kSize);
    std::vector<float> slope(kSize);
    const std::vector<float> ones(kSize, 1);
    kernels.backward(ones.data(), x.data(), nullptr, kSize, plain.data(), slope.data(), nullptr);
    std::vector<float> gate = x;
    std::vector<float> factor(kSize);
    std::vector<float> y(kSize);
    for (size_t i = 0; i < kSize; ++i) factor[i] = static_cast<float>(i) - 20;
    for (size_t i = 0; i < kSize; ++i) y[i] = 2 + static_cast<float>(i % 3);
    const std::vector<float> up = factor;
    const std::vector<float> gradient = y;
    std::vector<float> forward(kSize, NAN);
    kernels.forward(x.data(), up.data(), kSize, forward.data());
    kernels.backward(y.data(), gate.data(), factor.data(), kSize, y.data(), gate.data(),
                     factor.data());
    for (size_t i = 0; i < kSize; ++i) {
      EXPECT_EQ(y[i], forward[i]) << x[i];
      EXPECT_FLOAT_EQ(y[i], plain[i] * up[i]) << x[i];
      EXPECT_FLOAT_EQ(gate[i], gradient[i] * up[i] * slope[i]) << x[i];
      EXPECT_FLOAT_EQ(factor[i], gradient[i] * plain[i]) << x[i];
    }
  }
}

}  // namespace
}  // namespace pdl
