#include "pdl/kernels/cpu_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "support/instruction_sets.h"

namespace pdl {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

float value_of(float logit) { return logit; }
float value_of(Bfloat16 logit) {
  return std::bit_cast<float>(static_cast<uint32_t>(logit.bits) << 16);
}

void set_value(float& logit, float value) { logit = value; }
// To the nearest, ties to even.
void set_value(Bfloat16& logit, float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  logit.bits = static_cast<uint16_t>(
      std::isnan(value) ? 0x7fc0 : (bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

template <class Logit>
const RowKernels<Logit>& rows_of(const CpuKernels& kernels) {
  if constexpr (std::is_same_v<Logit, float>) {
    return kernels.float_rows;
  } else {
    return kernels.bfloat16_rows;
  }
}

// The expected results, in float64 from the logits as stored.
struct Expected {
  double ce;
  std::vector<double> softmax;
};

template <class Logit>
Expected expected_of(const std::vector<Logit>& logits, int64_t target) {
  double largest = -kInfinity;
  for (const Logit& logit : logits) largest = std::max<double>(largest, value_of(logit));
  Expected expected;
  double sum = 0;
  for (const Logit& logit : logits) {
    expected.softmax.push_back(std::exp(value_of(logit) - largest));
    sum += expected.softmax.back();
  }
  for (double& p : expected.softmax) p /= sum;
  expected.ce =
      std::log(sum) + largest - static_cast<double>(value_of(logits[static_cast<size_t>(target)]));
  return expected;
}

template <class Logit>
std::vector<Logit> random_logits(int64_t size, float spread, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<Logit> logits(static_cast<size_t>(size));
  for (Logit& logit : logits) set_value(logit, normal(generator));
  return logits;
}

// The error relative to the exact gradient: that of the exponential, three roundings and those of
// the sum. A bfloat16 adds half a unit of its last place, 2^-8.
template <class Logit>
constexpr double kGradientTolerance = std::is_same_v<Logit, float> ? 8e-7 : 0.003908;

template <class Logit>
void expect_row(const CpuKernels& kernels, std::vector<Logit> logits, int64_t target,
                double scale) {
  const Expected expected = expected_of(logits, target);
  // If x - max is large, its float32 rounding matters.
  float lowest = kInfinity;
  float highest = -kInfinity;
  for (const Logit& logit : logits) {
    if (std::isfinite(value_of(logit))) lowest = std::min(lowest, value_of(logit));
    highest = std::max(highest, value_of(logit));
  }
  const double rounding =
      kGradientTolerance<Logit> + 1.2e-7 * static_cast<double>(highest - lowest);
  const double ce = rows_of<Logit>(kernels).cross_entropy_gradient(
      logits.data(), std::ssize(logits), target, scale);
  EXPECT_NEAR(ce, expected.ce, 4e-7 * (1 + std::abs(expected.ce)));
  for (size_t i = 0; i < logits.size(); ++i) {
    const bool is_target = static_cast<int64_t>(i) == target;
    const double p = expected.softmax[i];
    const double gradient = scale * (is_target ? p - 1 : p);
    // p - 1 has p's absolute error; exponentials below 2^-100 count as 0
    const double size = is_target ? std::abs(gradient) + 4e-7 * scale * p : gradient;
    ASSERT_NEAR(value_of(logits[i]), gradient, rounding * size + 1e-30 * scale)
        << "column " << i << " of " << logits.size();
  }
}

class CpuKernelsTest : public testing::TestWithParam<InstructionSet> {
 protected:
  const CpuKernels& kernels_ = cpu_kernels(GetParam());
};

PDL_FOR_EACH_INSTRUCTION_SET(CpuKernelsTest);

template <class Logit>
void expect_rows_of_every_width(const CpuKernels& kernels) {
  unsigned seed = 0;
  for (const int64_t width : {1,   2,    3,    7,    15,   16,   17,   63,   64,    65,
                              127, 1000, 1023, 1024, 1025, 1041, 2048, 4099, 32000, 50257}) {
    for (const int64_t target : {int64_t{0}, width / 2, width - 1}) {
      SCOPED_TRACE("target " + std::to_string(target));
      expect_row(kernels, random_logits<Logit>(width, 3, ++seed), target, 1);
    }
  }
}

TEST_P(CpuKernelsTest, FloatRowsOfEveryWidthAgreeWithFloat64) {
  expect_rows_of_every_width<float>(kernels_);
}

TEST_P(CpuKernelsTest, Bfloat16RowsOfEveryWidthAgreeWithFloat64) {
  expect_rows_of_every_width<Bfloat16>(kernels_);
}

TEST_P(CpuKernelsTest, RowOfMoreThanAMillionLogits) {
  expect_row(kernels_, random_logits<float>(1'100'003, 2, 5), 1'100'002, 1);
  expect_row(kernels_, random_logits<Bfloat16>(1'100'003, 2, 5), 77, 1);
}

TEST_P(CpuKernelsTest, AscendingAndDescendingLogitsMoveTheReference) {
  for (const bool ascending : {true, false}) {
    auto logits = random_logits<float>(5000, 20, 3);
    std::sort(logits.begin(), logits.end());
    if (!ascending) std::reverse(logits.begin(), logits.end());
    expect_row(kernels_, logits, 17, 1);
    expect_row(kernels_, logits, 4990, 1);
  }
}

TEST_P(CpuKernelsTest, GradientsScaleWithWeightsFromMillionthToMillion) {
  for (const double scale : {1e-6, 1e-3, 1.0, 1e3, 1e6}) {
    expect_row(kernels_, random_logits<float>(1031, 3, 9), 4, scale);
    expect_row(kernels_, random_logits<Bfloat16>(1031, 3, 9), 4, scale);
  }
}

TEST_P(CpuKernelsTest, LargeLogits) {
  for (const float offset : {1e4f, -1e4f}) {
    auto logits = random_logits<float>(1031, 3, 2);
    for (float& logit : logits) logit += offset;
    expect_row(kernels_, logits, 30, 1);
  }
  std::vector<float> both(100, -1e4f);
  both[40] = 1e4f;
  expect_row(kernels_, both, 40, 1);
  expect_row(kernels_, both, 41, 1);
}

TEST_P(CpuKernelsTest, SmallProbabilitiesHaveAllTheirDigits) {
  std::vector<float> logits;  // differences without rounding
  for (int i = 0; i < 60 * 8; ++i) logits.push_back(static_cast<float>(-i) / 8);
  const Expected expected = expected_of(logits, 0);
  kernels_.float_rows.cross_entropy_gradient(logits.data(), std::ssize(logits), 0, 1);
  // Without fused instructions x·log2 e is rounded.
  const bool is_fused = GetParam() != InstructionSet::kPortable;
  for (size_t i = 1; i < logits.size(); ++i) {
    const double bound = 4e-7 + (is_fused ? 0 : 1.2e-7 * static_cast<double>(i) / 8);
    ASSERT_NEAR(logits[i] / expected.softmax[i], 1, bound) << i;
  }
}

TEST_P(CpuKernelsTest, MinusInfinityHasProbabilityZero) {
  auto logits = random_logits<float>(3000, 3, 4);
  std::fill(logits.begin(), logits.begin() + 1500, -kInfinity);
  expect_row(kernels_, logits, 2000, 1);
  auto halves = random_logits<Bfloat16>(3000, 3, 4);
  for (size_t i = 1000; i < 2999; ++i) set_value(halves[i], -kInfinity);
  expect_row(kernels_, halves, 2999, 1);
}

template <class Logit>
void expect_nan_everywhere(const CpuKernels& kernels, float poison) {
  for (const size_t column : {0u, 500u, 1030u}) {
    auto logits = random_logits<Logit>(1031, 3, 8);
    set_value(logits[column], poison);
    const std::vector<uint8_t> bands(1031, 0);
    const RowEvaluation evaluation =
        rows_of<Logit>(kernels).evaluate(logits.data(), 1031, 4, bands.data());
    EXPECT_TRUE(std::isnan(evaluation.ce));
    EXPECT_EQ(evaluation.argmax, -1);
    const double ce = rows_of<Logit>(kernels).cross_entropy_gradient(logits.data(), 1031, 4, 1);
    EXPECT_TRUE(std::isnan(ce));
    for (const Logit& logit : logits) ASSERT_TRUE(std::isnan(value_of(logit)));
  }
}

TEST_P(CpuKernelsTest, NanOrInfinityMakesTheRowNan) {
  expect_nan_everywhere<float>(kernels_, kNan);
  expect_nan_everywhere<float>(kernels_, kInfinity);
  // a payload in every bit of the fraction
  expect_nan_everywhere<float>(kernels_, std::bit_cast<float>(0xffffffffu));
  expect_nan_everywhere<Bfloat16>(kernels_, kNan);
  expect_nan_everywhere<Bfloat16>(kernels_, kInfinity);
}

template <class Logit>
void expect_row_at_any_address(const CpuKernels& kernels) {
  for (const int64_t width : {1, 17, 1025, 2100}) {
    const auto row = random_logits<Logit>(width, 3, 1);
    const Expected expected = expected_of(row, 0);
    for (size_t offset = 1; offset <= 64 / sizeof(Logit); ++offset) {
      std::vector<Logit> memory(offset + row.size() + 1);
      set_value(memory[offset - 1], 7);
      set_value(memory.back(), 8);
      std::copy(row.begin(), row.end(), memory.begin() + static_cast<ptrdiff_t>(offset));
      Logit* logits = memory.data() + offset;
      const double ce = rows_of<Logit>(kernels).cross_entropy_gradient(logits, width, 0, 1);
      EXPECT_NEAR(ce, expected.ce, 4e-7 * (1 + expected.ce));
      for (int64_t i = 1; i < width; ++i) {
        const double p = expected.softmax[static_cast<size_t>(i)];
        ASSERT_NEAR(value_of(logits[i]), p, (kGradientTolerance<Logit> + 3e-6) * p) << offset;
      }
      EXPECT_EQ(value_of(memory[offset - 1]), 7);
      EXPECT_EQ(value_of(memory.back()), 8);
    }
  }
}

TEST_P(CpuKernelsTest, RowsStartAnywhereAndNothingOutsideIsTouched) {
  expect_row_at_any_address<float>(kernels_);
  expect_row_at_any_address<Bfloat16>(kernels_);
}

template <class Logit>
void expect_evaluation(const CpuKernels& kernels, const std::vector<Logit>& logits,
                       int64_t target) {
  std::vector<uint8_t> bands;
  for (size_t i = 0; i < logits.size(); ++i) bands.push_back(static_cast<uint8_t>(i * 7 % 8));
  const Expected expected = expected_of(logits, target);
  double mass[kMaxBands] = {};
  for (size_t i = 0; i < logits.size(); ++i) mass[bands[i]] += expected.softmax[i];
  const auto largest = std::max_element(logits.begin(), logits.end(),
                                        [](Logit a, Logit b) { return value_of(a) < value_of(b); });
  const RowEvaluation result =
      rows_of<Logit>(kernels).evaluate(logits.data(), std::ssize(logits), target, bands.data());
  EXPECT_NEAR(result.ce, expected.ce, 4e-7 * (1 + std::abs(expected.ce)));
  EXPECT_EQ(result.argmax, largest - logits.begin());
  for (size_t band = 0; band < kMaxBands; ++band) {
    EXPECT_NEAR(result.band_mass[band], mass[band], 4e-7) << "band " << band;
  }
}

TEST_P(CpuKernelsTest, EvaluationAgreesWithFloat64) {
  unsigned seed = 0;
  for (const int64_t width : {1, 7, 16, 65, 1000, 1025, 4099, 50257}) {
    expect_evaluation(kernels_, random_logits<float>(width, 3, ++seed), width - 1);
    expect_evaluation(kernels_, random_logits<Bfloat16>(width, 3, ++seed), width / 2);
  }
}

TEST_P(CpuKernelsTest, FirstOfEqualLogitsIsTheArgmax) {
  std::vector<float> logits(5000, 1.0f);
  expect_evaluation(kernels_, logits, 3);
  logits[4000] = logits[4500] = 2.0f;
  expect_evaluation(kernels_, logits, 3);
}

TEST_P(CpuKernelsTest, EvaluationAndGradientGiveTheSameCrossEntropy) {
  const std::vector<uint8_t> bands(2500, 1);
  auto logits = random_logits<float>(2500, 3, 6);
  const double evaluated = kernels_.float_rows.evaluate(logits.data(), 2500, 9, bands.data()).ce;
  const double trained = kernels_.float_rows.cross_entropy_gradient(logits.data(), 2500, 9, 1);
  EXPECT_NEAR(evaluated, trained, 1e-6);
}

TEST_P(CpuKernelsTest, SumOfSquaresIsInFloat64) {
  for (const size_t size : {0u, 1u, 31u, 64u, 1000u, 100'003u}) {
    const auto values = random_logits<float>(static_cast<int64_t>(size), 1, 7);
    double expected = 0;
    for (const float value : values) expected += static_cast<double>(value) * value;
    EXPECT_NEAR(kernels_.sum_of_squares(values.data(), static_cast<int64_t>(size)), expected,
                1e-12 * expected);
  }
  const std::vector<float> tiny(100, 1e-30f);  // whose squares are 0 in float32
  EXPECT_NEAR(kernels_.sum_of_squares(tiny.data(), 100), 1e-58, 1e-64);
  const std::vector<float> huge(100, 1e30f);  // and these infinite
  EXPECT_NEAR(kernels_.sum_of_squares(huge.data(), 100), 1e62, 1e56);
  std::vector<float> bad(100, 1.0f);
  bad[70] = kNan;
  EXPECT_TRUE(std::isnan(kernels_.sum_of_squares(bad.data(), 100)));
}

// Columns [7, 7 + width) of rows of 80 values.
template <class Value, class AddRows>
void expect_sums_of_rows(const AddRows& add_rows) {
  constexpr int64_t kStride = 80;
  constexpr int64_t kFirst = 7;
  for (const int64_t count : {0, 1, 7, 8, 9, 50}) {
    const auto rows = random_logits<Value>(std::max<int64_t>(1, count * kStride), 1, 11);
    for (const int64_t width : {1, 15, 16, 33, 64}) {
      SCOPED_TRACE(std::to_string(count) + " rows of " + std::to_string(width));
      std::vector<float> sums(static_cast<size_t>(width) + 1, 2);
      add_rows(rows.data() + kFirst, kStride, count, width, sums.data());
      for (int64_t i = 0; i < width; ++i) {
        double expected = 2;
        double sizes = 2;
        for (int64_t row = 0; row < count; ++row) {
          const double value = value_of(rows[static_cast<size_t>(row * kStride + kFirst + i)]);
          expected += value;
          sizes += std::abs(value);
        }
        EXPECT_NEAR(sums[static_cast<size_t>(i)], expected, 3e-7 * sizes);
      }
      EXPECT_EQ(sums.back(), 2) << "what is beside the sums was written";
    }
  }
}

TEST_P(CpuKernelsTest, RowsAreAddedToSums) {
  expect_sums_of_rows<float>(kernels_.add_float_rows);
  expect_sums_of_rows<Bfloat16>(kernels_.add_bfloat16_rows);
}

TEST(CpuKernelsDispatchTest, UnsupportedSetIsRefused) {
  const auto sets = supported_instruction_sets();
  EXPECT_EQ(sets.front(), InstructionSet::kPortable);
  EXPECT_EQ(&cpu_kernels(), &cpu_kernels(sets.back()));
  EXPECT_THROW(cpu_kernels(static_cast<InstructionSet>(99)), std::invalid_argument);
}

}  // namespace
}  // namespace pdl
