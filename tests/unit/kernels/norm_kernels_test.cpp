#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "pdl/kernels/cpu_kernels.h"
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
    kernels_.backward(y_gradient.data(), x.data(), factor.data(), size, rstd, x_gradient.data(),
                      factor_gradient.data());

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

  const RmsNormKernels& kernels_ = cpu_kernels(GetParam()).rms_norm;
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
  kernels_.backward(ones.data(), zeros.data(), ones.data(), 40, rstd, y.data(), nullptr);
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
    kernels_.backward(y_gradient.data(), x.data(), factor.data(), size, statistics,
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

  const LayerNormKernels& kernels_ = cpu_kernels(GetParam()).layer_norm;
};

PDL_FOR_EACH_INSTRUCTION_SET(LayerNormKernelsTest);

TEST_P(LayerNormKernelsTest, AgreeWithFloat64) {
  for (const int64_t size : {1, 2, 7, 8, 63, 64, 65, 200, 576, 4099}) {
    for (const float offset : {0.f, -3.f, 100.f}) check(size, offset);
  }
}

TEST_P(LayerNormKernelsTest, NoGradientsOfFactorAndBiasAreAsked) {
  const std::vector<float> ones(40, 1);
  std::vector<float> to(40, NAN);
  const LayerStatistics statistics =
      kernels_.forward(ones.data(), ones.data(), ones.data(), 40, kEps, to.data());
  EXPECT_EQ(to, ones);
  kernels_.backward(ones.data(), ones.data(), ones.data(), 40, statistics, to.data(), nullptr,
                    nullptr);
  EXPECT_EQ(to, std::vector<float>(40));
}

}  // namespace
}  // namespace pdl
