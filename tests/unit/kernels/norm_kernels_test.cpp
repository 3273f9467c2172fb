#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "pdl/kernels/cpu_kernels.h"
#include "support/bfloat16.h"
#include "support/instruction_sets.h"

namespace pdl {
namespace {

constexpr double kEps = 1e-6;

std::vector<float> random_values(int64_t size, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> distribution;
  std::vector<float> values(static_cast<size_t>(size));
  for (float& value : values) value = distribution(generator);
  return values;
}

class RmsNormKernelsTest : public testing::TestWithParam<InstructionSet> {
 protected:
  // All values but one are multiplied by `scale`.
  void check(int64_t size, float scale) const {
    SCOPED_TRACE("size " + std::to_string(size) + ", scale " + std::to_string(scale));
    const auto count = static_cast<size_t>(size);
    std::vector<float> x = random_values(size, 1);
    for (size_t i = 1; i < count; ++i) x[i] *= scale;
    const std::vector<float> factor = random_values(size, 2);
    const std::vector<float> y_gradient = random_values(size, 3);
    std::vector<float> y(count, NAN);
    std::vector<float> x_gradient(count, NAN);
    std::vector<float> factor_gradient(count, 1);
    const float rstd = kernels_.forward(x.data(), factor.data(), size, kEps, y.data());
    kernels_.backward(y_gradient.data(), x.data(), factor.data(), size, rstd, nullptr,
                      x_gradient.data(), factor_gradient.data());

    double squares = 0;
    double products = 0;
    for (size_t i = 0; i < count; ++i) {
      squares += std::pow(static_cast<double>(x[i]), 2);
      products += static_cast<double>(y_gradient[i]) * static_cast<double>(x[i]) *
                  static_cast<double>(factor[i]);
    }
    const double exact_rstd = 1 / std::sqrt(squares / static_cast<double>(size) + kEps);
    const double share = std::pow(exact_rstd, 2) * products / static_cast<double>(size);
    EXPECT_NEAR(rstd, exact_rstd, 1e-7 * exact_rstd);
    for (size_t i = 0; i < count; ++i) {
      const auto g = static_cast<double>(y_gradient[i]);
      const double n = static_cast<double>(x[i]) * exact_rstd;
      const double scaled = g * static_cast<double>(factor[i]);
      const double shared = static_cast<double>(x[i]) * share;
      const double exact = n * static_cast<double>(factor[i]);
      ASSERT_NEAR(y[i], exact, 3e-7 * std::abs(exact)) << i;
      ASSERT_NEAR(x_gradient[i], exact_rstd * (scaled - shared),
                  4e-7 * exact_rstd * (std::abs(scaled) + std::abs(shared)))
          << i;
      ASSERT_NEAR(factor_gradient[i], 1 + g * n, 3e-7 * (1 + std::abs(g * n))) << i;
    }
  }

  const RmsNormKernels<float>& kernels_ = cpu_kernels(GetParam()).float_norms.rms;
};

PDL_FOR_EACH_INSTRUCTION_SET(RmsNormKernelsTest);

TEST_P(RmsNormKernelsTest, AgreeWithFloat64) {
  for (const int64_t size : {1, 2, 7, 8, 63, 64, 65, 200, 576, 4099}) {
    for (const float scale : {1.f, 1e-3f, 1e4f}) check(size, scale);
  }
}

TEST_P(RmsNormKernelsTest, ZerosGiveZerosAndNoFactorGradientIsAsked) {
  const std::vector<float> zeros(40);
  const std::vector<float> ones(40, 1);
  std::vector<float> y(40, NAN);
  const float rstd = kernels_.forward(zeros.data(), ones.data(), 40, kEps, y.data());
  EXPECT_NEAR(rstd, 1000, 1e-3);
  EXPECT_EQ(y, zeros);
  kernels_.backward(ones.data(), zeros.data(), ones.data(), 40, rstd, nullptr, y.data(), nullptr);
  for (const float gradient : y) EXPECT_EQ(gradient, rstd);
}

class LayerNormKernelsTest : public testing::TestWithParam<InstructionSet> {
 protected:
  // The values are `offset` plus random ones.
  void check(int64_t size, float offset) const {
    SCOPED_TRACE("size " + std::to_string(size) + ", offset " + std::to_string(offset));
    const auto count = static_cast<size_t>(size);
    std::vector<float> x = random_values(size, 1);
    for (float& value : x) value += offset;
    const std::vector<float> factor = random_values(size, 2);
    const std::vector<float> bias = random_values(size, 3);
    const std::vector<float> y_gradient = random_values(size, 4);
    std::vector<float> y(count, NAN);
    std::vector<float> x_gradient(count, NAN);
    std::vector<float> factor_gradient(count, 1);
    std::vector<float> bias_gradient(count, 1);
    const LayerStatistics statistics =
        kernels_.forward(x.data(), factor.data(), bias.data(), size, kEps, y.data());
    kernels_.backward(y_gradient.data(), x.data(), factor.data(), size, statistics, nullptr,
                      x_gradient.data(), factor_gradient.data(), bias_gradient.data());

    const auto n = static_cast<double>(size);
    double mean = 0;
    for (const float value : x) mean += static_cast<double>(value) / n;
    double variance = 0;
    for (const float value : x) variance += std::pow(static_cast<double>(value) - mean, 2) / n;
    const double rstd = 1 / std::sqrt(variance + kEps);
    const auto normalised = [&](size_t i) { return (static_cast<double>(x[i]) - mean) * rstd; };
    const auto scaled = [&](size_t i) {
      return static_cast<double>(y_gradient[i]) * static_cast<double>(factor[i]);
    };
    double mean_scaled = 0;
    double mean_product = 0;
    for (size_t i = 0; i < count; ++i) {
      mean_scaled += scaled(i) / n;
      mean_product += scaled(i) * normalised(i) / n;
    }
    // The mean is rounded to float32.
    const double shift = std::abs(mean) * rstd * 6e-8;
    EXPECT_NEAR(statistics.mean, mean, 6e-8 * std::abs(mean));
    EXPECT_NEAR(statistics.rstd, rstd, 1e-7 * rstd);
    for (size_t i = 0; i < count; ++i) {
      const auto f = static_cast<double>(factor[i]);
      const auto b = static_cast<double>(bias[i]);
      const auto g = static_cast<double>(y_gradient[i]);
      const double row = normalised(i);
      ASSERT_NEAR(y[i], row * f + b, 4e-7 * (std::abs(row * f) + std::abs(b)) + shift * std::abs(f))
          << i;
      ASSERT_NEAR(
          x_gradient[i], rstd * (scaled(i) - mean_scaled - row * mean_product),
          rstd *
              (5e-7 * (std::abs(scaled(i)) + std::abs(mean_scaled) + std::abs(row * mean_product)) +
               2 * shift * (std::abs(mean_product) + std::abs(mean_scaled) * (1 + std::abs(row)))))
          << i;
      ASSERT_NEAR(factor_gradient[i], 1 + g * row,
                  4e-7 * (1 + std::abs(g * row)) + shift * std::abs(g))
          << i;
      ASSERT_NEAR(bias_gradient[i], 1 + g, 2e-7 * (1 + std::abs(g))) << i;
    }
  }

  const LayerNormKernels<float>& kernels_ = cpu_kernels(GetParam()).float_norms.layer;
};

PDL_FOR_EACH_INSTRUCTION_SET(LayerNormKernelsTest);

TEST_P(LayerNormKernelsTest, AgreeWithFloat64) {
  for (const int64_t size : {1, 2, 7, 8, 63, 64, 65, 200, 576, 4099}) {
    for (const float offset : {0.f, -3.f, 100.f, 1e6f}) check(size, offset);
  }
}

TEST_P(LayerNormKernelsTest, NoGradientsOfFactorAndBiasAreAsked) {
  const std::vector<float> ones(40, 1);
  std::vector<float> to(40, NAN);
  const LayerStatistics statistics =
      kernels_.forward(ones.data(), ones.data(), ones.data(), 40, kEps, to.data());
  EXPECT_EQ(to, ones);
  kernels_.backward(ones.data(), ones.data(), ones.data(), 40, statistics, nullptr, to.data(),
                    nullptr, nullptr);
  EXPECT_EQ(to, std::vector<float>(40));
}

// What a norm gives for a row of `size` values, with a y of Value.
template <class Value>
struct NormResults {
  std::vector<Value> y;
  std::vector<float> x_gradient;
  std::vector<float> factor_gradient;
  std::vector<float> bias_gradient;

  NormResults(const NormKernels<Value>& kernels, bool is_layer,
              const std::vector<Value>& y_gradient, const float* added)
      : y(y_gradient.size()), x_gradient(y.size(), NAN), factor_gradient(y.size(), 1) {
    const auto size = static_cast<int64_t>(y.size());
    const std::vector<float> x = random_values(size, 1);
    const std::vector<float> factor = random_values(size, 2);
    const std::vector<float> bias = random_values(size, 3);
    if (is_layer) {
      bias_gradient.resize(y.size(), 1);
      const LayerStatistics statistics =
          kernels.layer.forward(x.data(), factor.data(), bias.data(), size, kEps, y.data());
      kernels.layer.backward(y_gradient.data(), x.data(), factor.data(), size, statistics, added,
                             x_gradient.data(), factor_gradient.data(), bias_gradient.data());
    } else {
      const float rstd = kernels.rms.forward(x.data(), factor.data(), size, kEps, y.data());
      kernels.rms.backward(y_gradient.data(), x.data(), factor.data(), size, rstd, added,
                           x_gradient.data(), factor_gradient.data());
    }
  }
};

class NormKernelsTest : public testing::TestWithParam<InstructionSet> {};

PDL_FOR_EACH_INSTRUCTION_SET(NormKernelsTest);

TEST_P(NormKernelsTest, Bfloat16IsFloat32RoundedOnce) {
  const CpuKernels& kernels = cpu_kernels(GetParam());
  for (const bool is_layer : {false, true}) {
    for (const int64_t size : {1, 7, 16, 63, 200, 577}) {
      SCOPED_TRACE(std::to_string(size) + (is_layer ? " of a layer norm" : ""));
      std::vector<Bfloat16> y_gradient;
      std::vector<float> same;
      for (const float value : random_values(size, 4)) {
        y_gradient.push_back(to_bfloat16(value));
        same.push_back(to_float(y_gradient.back()));
      }
      const NormResults<float> expected(kernels.float_norms, is_layer, same, nullptr);
      const NormResults<Bfloat16> found(kernels.bfloat16_norms, is_layer, y_gradient, nullptr);
      for (size_t i = 0; i < found.y.size(); ++i)
        EXPECT_EQ(found.y[i].bits, to_bfloat16(expected.y[i]).bits) << i;
      EXPECT_EQ(found.x_gradient, expected.x_gradient);
      EXPECT_EQ(found.factor_gradient, expected.factor_gradient);
      EXPECT_EQ(found.bias_gradient, expected.bias_gradient);
    }
  }
}

TEST_P(NormKernelsTest, AnotherGradientIsAdded) {
  const NormKernels<float>& kernels = cpu_kernels(GetParam()).float_norms;
  for (const bool is_layer : {false, true}) {
    for (const int64_t size : {1, 7, 16, 200}) {
      const std::vector<float> y_gradient = random_values(size, 4);
      const std::vector<float> added = random_values(size, 5);
      const NormResults<float> alone(kernels, is_layer, y_gradient, nullptr);
      const NormResults<float> both(kernels, is_layer, y_gradient, added.data());
      for (size_t i = 0; i < added.size(); ++i) {
        EXPECT_NEAR(both.x_gradient[i], alone.x_gradient[i] + added[i],
                    2e-7f * (std::abs(alone.x_gradient[i]) + std::abs(added[i])));
      }
      EXPECT_EQ(both.factor_gradient, alone.factor_gradient);
    }
  }
}

}  // namespace
}  // namespace pdl
