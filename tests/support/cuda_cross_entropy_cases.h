// The tests of the kernels of pdl/kernels/cuda_cross_entropy.h, against float64: the same cases for
// the emulation on the CPU and for a device. A program that includes this instantiates
// CudaCrossEntropyTest with its drivers.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "support/cuda_cross_entropy_problem.h"
#include "support/cuda_cross_entropy_reference.h"

namespace pdl::cuda_cases {

struct DriverParameter {
  std::string name;
  std::function<std::unique_ptr<Driver>()> make;
};

inline void PrintTo(const DriverParameter& parameter, std::ostream* out) { *out << parameter.name; }

class CudaCrossEntropyTest : public testing::TestWithParam<DriverParameter> {
 protected:
  // Skips the test where the driver has no device: make() then returns null.
  void SetUp() override {
    driver_ = GetParam().make();
    if (!driver_) GTEST_SKIP() << "no CUDA device";
  }

  void check(const Problem& problem) {
    SCOPED_TRACE(std::string(problem.format.name) + " " + std::to_string(problem.rows) + "x" +
                 std::to_string(problem.columns) + " stride " + std::to_string(problem.row_stride) +
                 " offset " + std::to_string(problem.offset));
    check_gradient(problem, driver_->gradient(problem));
    check_evaluation(problem, driver_->evaluate(problem));
  }

  std::unique_ptr<Driver> driver_;
};

// Compares bits, so that NaN equals itself.
inline std::vector<uint64_t> bits_of(const std::vector<double>& values) {
  std::vector<uint64_t> bits;
  for (const double x : values) bits.push_back(std::bit_cast<uint64_t>(x));
  return bits;
}

// The last three shapes do not fit in shared memory of 227 KiB in float32; the last not in half of
// it.
TEST_P(CudaCrossEntropyTest, EqualsFloat64) {
  const int64_t shapes[][2] = {{1, 1},    {1, 7},    {3, 31},    {5, 1000},  {4, 1031},
                               {2, 4099}, {17, 257}, {2, 32000}, {2, 60013}, {1, 120011}};
  for (const auto& [rows, columns] : shapes) {
    for (const Format& format : kFormats) check(random_problem(format, rows, columns));
  }
}

// Every start of a row relative to an aligned address, with rows too short for a vector and longer.
TEST_P(CudaCrossEntropyTest, TakesRowsThatStartAnywhere) {
  for (const Format& format : kFormats) {
    for (const int64_t columns : {1, 3, 8, 9, 17, 143}) {
      for (int64_t offset = 0; offset < 8; ++offset) {
        Problem problem = random_problem(format, 2, columns);
        problem.offset = offset;
        check(problem);
      }
    }
  }
}

TEST_P(CudaCrossEntropyTest, LeavesWhatLiesBetweenRows) {
  for (const Format& format : kFormats) {
    for (const int64_t gap : {1, 3, 8, 1000}) {
      Problem problem = random_problem(format, 5, 517);
      problem.row_stride = problem.columns + gap;
      problem.offset = 5;
      check(problem);
    }
  }
}

TEST_P(CudaCrossEntropyTest, TakesOffsetsBeyond32Bits) {
  Problem problem = random_problem(kBFloat16, 3, 1031);
  problem.row_stride = (int64_t{1} << 30) + 5;
  ASSERT_GT(2 * problem.row_stride, int64_t{1} << 31);
  if (!driver_->can_hold(problem.buffer_elements() * problem.format.bytes)) {
    GTEST_SKIP() << "no memory for 4 GiB of logits";
  }
  check(problem);
}

TEST_P(CudaCrossEntropyTest, AllIgnoredIsZero) {
  for (const Format& format : kFormats) {
    Problem problem = random_problem(format, 3, 263);
    problem.targets.assign(3, kIgnored);
    problem.logits.assign(problem.logits.size(), kNan);
    problem.weight_sum = 0;
    check(problem);
  }
}

TEST_P(CudaCrossEntropyTest, TakesFirstAndLastTargets) {
  for (const Format& format : kFormats) {
    for (const int64_t columns : {1, 31, 257, 1000}) {
      Problem problem = random_problem(format, 4, columns);
      for (double& x : problem.logits) x = std::isnan(x) ? 0 : x;
      problem.targets = {0, columns - 1, columns / 2, columns - 1};
      check(problem);
    }
  }
}

TEST_P(CudaCrossEntropyTest, TakesLargeAndInfiniteLogits) {
  for (const Format& format : kFormats) {
    Problem problem = random_problem(format, 6, 300);
    problem.targets = {0, 1, 2, 299, 4, 5};
    for (int64_t v = 0; v < problem.columns; ++v) {
      const double large = decode(format, encode(format, v % 3 == 0 ? 1e4 : -1e4));
      problem.logit(0, v) = large;                                          // target at +1e4
      problem.logit(1, v) = large;                                          // target at -1e4
      problem.logit(2, v) = v == 2 ? 4.0 : -kInfinity;                      // p = 1
      problem.logit(3, v) = v % 2 == 1 ? -kInfinity : problem.logit(0, 0);  // p = 0, ce = inf
      problem.logit(4, v) = -1e4;                                           // all the same
      problem.logit(5, v) = v < 150 ? -kInfinity : -100;  // a thread meets -inf first
    }
    for (double& x : problem.logits) x = decode(format, encode(format, x));
    check(problem);
  }
}

// The smallest and the largest numbers of a format: what models put where nothing is to be.
TEST_P(CudaCrossEntropyTest, TakesMaskedLogits) {
  for (const Format& format : kFormats) {
    Problem problem = random_problem(format, 2, 300);
    problem.targets = {7, 8};
    const double lowest = -decode(format, encode(format, kInfinity) - 1);
    for (int64_t v = 0; v < problem.columns; ++v) {
      if (v != 7) problem.logit(0, v) = v % 2 ? lowest : problem.logit(0, v);
      problem.logit(1, v) = v % 3 ? lowest : -kInfinity;
    }
    check(problem);
  }
}

TEST_P(CudaCrossEntropyTest, NanStaysInItsRow) {
  for (const Format& format : kFormats) {
    for (const int64_t columns : {1, 9, 1000}) {
      Problem problem = random_problem(format, 8, columns);
      for (double& x : problem.logits) x = std::isnan(x) ? 0 : x;
      problem.targets = {0, columns - 1, 0, columns - 1, 0, 0, 0, columns / 2};
      problem.logit(1, 0) = kNan;
      problem.logit(2, columns - 1) = kNan;
      problem.logit(3, columns / 2) = kNan;
      for (int64_t v = 0; v < columns; ++v) problem.logit(4, v) = kNan;
      for (int64_t v = 0; v < columns; ++v) problem.logit(5, v) = -kInfinity;
      problem.logit(6, columns / 2) = kInfinity;
      check(problem);
    }
  }
}

TEST_P(CudaCrossEntropyTest, TargetThatIsNoColumnIsNan) {
  Problem problem = random_problem(kFloat32, 4, 50);
  for (double& x : problem.logits) x = std::isnan(x) ? 0 : x;
  problem.targets = {50, -1, 3, int64_t{1} << 40};
  check(problem);
}

TEST_P(CudaCrossEntropyTest, TakesWeightsOfAnySize) {
  for (const Format& format : kFormats) {
    Problem problem = random_problem(format, 13, 257);
    for (double& x : problem.logits) x = std::isnan(x) ? 0 : x;
    problem.weight_sum = 0;
    for (int i = 0; i < 13; ++i) {
      problem.targets[static_cast<size_t>(i)] = i * 19;
      problem.weights[static_cast<size_t>(i * 19)] = static_cast<float>(std::pow(10.0, i - 6));
      problem.weight_sum += problem.weights[static_cast<size_t>(i * 19)];
    }
    check(problem);
    problem.weight_sum = 1e3;
    check(problem);
  }
}

// p - 1 in bfloat16 would be 0 or a multiple of 2^-8.
TEST_P(CudaCrossEntropyTest, ConfidentTargetKeepsItsGradient) {
  for (const Format& format : kFormats) {
    Problem problem = random_problem(format, 1, 40);
    problem.targets = {3};
    for (int64_t v = 0; v < problem.columns; ++v) problem.logit(0, v) = v == 3 ? 12 : 0;
    problem.weight_sum = problem.weights[3];
    const double gradient = driver_->gradient(problem).gradient[3];
    const double expected = -39 * std::exp(-12.0) / (1 + 39 * std::exp(-12.0));
    // A sum of about 1 is rounded a few times.
    EXPECT_NEAR(gradient, expected, 0x1p-21 + rounding_error(format, expected)) << format.name;
  }
}

TEST_P(CudaCrossEntropyTest, ArgmaxIsTheFirstOfEquals) {
  for (const Format& format : kFormats) {
    Problem problem = random_problem(format, 5, 1031);
    problem.offset = 3;
    problem.targets.assign(5, 0);
    for (double& x : problem.logits) x = 0;
    for (const int64_t v : {1030, 900, 77, 1029}) problem.logit(1, v) = 5;
    for (const int64_t v : {2, 3}) problem.logit(2, v) = 5;
    for (const int64_t v : {1030, 1029}) problem.logit(3, v) = 5;
    for (int64_t v = 0; v < problem.columns; ++v) problem.logit(4, v) = v < 700 ? -kInfinity : -9;
    EXPECT_EQ(driver_->evaluate(problem).argmax, (std::vector<int64_t>{0, 77, 2, 1029, 700}));
    check(problem);
  }
}

TEST_P(CudaCrossEntropyTest, MassOfOtherBandsIsNotCounted) {
  Problem problem = random_problem(kFloat32, 2, 100);
  problem.bands.assign(100, 200);
  problem.bands[4] = kPdlCudaBands - 1;
  problem.bands[5] = kPdlCudaBands;
  check(problem);
}

TEST_P(CudaCrossEntropyTest, RunsAreIdentical) {
  for (const Format& format : kFormats) {
    const Problem problem = random_problem(format, driver_->many_rows(), 517);
    const GradientResult first = driver_->gradient(problem);
    const GradientResult second = driver_->gradient(problem);
    EXPECT_EQ(bits_of(first.gradient), bits_of(second.gradient));
    EXPECT_EQ(bits_of(first.row_ce), bits_of(second.row_ce));
    EXPECT_EQ(bits_of({first.weighted_sum, first.ce_sum}),
              bits_of({second.weighted_sum, second.ce_sum}));
    const EvaluationResult evaluation = driver_->evaluate(problem);
    EXPECT_EQ(bits_of(evaluation.row_ce), bits_of(first.row_ce));
    EXPECT_EQ(bits_of(evaluation.band_mass), bits_of(driver_->evaluate(problem).band_mass));
  }
}

TEST_P(CudaCrossEntropyTest, AddsUpManyRows) {
  check(random_problem(kFloat32, driver_->many_rows(), 5));
}

TEST_P(CudaCrossEntropyTest, ScalesUnlessOne) {
  for (const Format& format : kFormats) {
    Problem problem = random_problem(format, 5, 517);
    problem.row_stride = 520;
    problem.offset = 1;
    EXPECT_EQ(bits_of(driver_->scaled(problem, 1)), bits_of(problem.logits));
    for (const double scale : {0.5, 3.0, -0.1, 1 + 1e-6}) {
      const std::vector<double> scaled = driver_->scaled(problem, scale);
      ASSERT_EQ(scaled.size(), problem.logits.size());
      for (size_t i = 0; i < scaled.size(); ++i) {
        const double expected = scale * problem.logits[i];
        const double error = std::fabs(expected) * 0x1p-23;
        EXPECT_CLOSE(scaled[i], expected, error + rounding_error(format, expected));
      }
    }
  }
}

}  // namespace pdl::cuda_cases
