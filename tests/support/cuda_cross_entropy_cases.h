// What the kernels of pdl/kernels/cuda_cross_entropy.h must compute, against float64: the same
// cases for the emulation on the CPU and for a device. A program that includes this instantiates
// CudaCrossEntropyTest with its drivers.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "pdl/kernels/cuda_cross_entropy.h"
#include "support/float_formats.h"

namespace pdl::cuda_cases {

constexpr int64_t kIgnored = -100;

// ---- Problems and drivers ----

struct Problem {
  Format format = kFloat32;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t row_stride = 0;
  int64_t offset = 0;          // of the first row, in elements, from an aligned address
  std::vector<double> logits;  // [rows · columns], values of the format
  std::vector<int64_t> targets;
  std::vector<float> weights;
  double weight_sum = 1;
  std::vector<uint8_t> bands;

  double& logit(int64_t row, int64_t column) {
    return logits[static_cast<size_t>(row * columns + column)];
  }
  double logit(int64_t row, int64_t column) const {
    return logits[static_cast<size_t>(row * columns + column)];
  }
  // Elements of a buffer that holds the matrix and what lies around it.
  int64_t buffer_elements() const { return offset + (rows - 1) * row_stride + columns + kMargin; }

  static constexpr int64_t kMargin = 16;
};

struct GradientResult {
  std::vector<double> gradient;  // [rows · columns]
  std::vector<double> row_ce;
  double weighted_sum = 0;
  double ce_sum = 0;
};

struct EvaluationResult {
  std::vector<double> row_ce;
  std::vector<int64_t> argmax;
  std::vector<double> band_mass;  // [rows · kPdlCudaBands]
  double weighted_sum = 0;
  double ce_sum = 0;
};

// Runs the kernels somewhere. The matrix lies in a strided buffer; a driver copies its rows there
// and back with the functions below, which also see that nothing beside them changes.
class Driver {
 public:
  virtual ~Driver() = default;
  virtual GradientResult gradient(const Problem& problem) = 0;
  virtual EvaluationResult evaluate(const Problem& problem) = 0;
  // The problem's logits times `scale`, [rows · columns].
  virtual std::vector<double> scaled(const Problem& problem, double scale) = 0;
  // Whether it has `bytes` for one buffer.
  virtual bool can_hold(int64_t bytes) = 0;
  // Sequences that occupy every thread and block more than once.
  virtual int64_t many_rows() const = 0;
};

constexpr int64_t kGuardElements = 4;
constexpr unsigned char kGuardByte = 0xa5;

// A row of the buffer with the guard elements before (offset and stride permitting) and after it.
struct RowBytes {
  int64_t begin;   // in bytes of the buffer
  int64_t before;  // guard elements before the row
  int64_t after;
  std::vector<unsigned char> bytes;
};

inline RowBytes row_bytes(const Problem& problem, int64_t row) {
  const int64_t size = problem.format.bytes;
  const int64_t gap = problem.row_stride - problem.columns;
  RowBytes result;
  result.before = std::min(kGuardElements, row == 0 ? problem.offset : gap);
  result.after = row + 1 == problem.rows ? kGuardElements : std::min(kGuardElements, gap);
  result.begin = (problem.offset + row * problem.row_stride - result.before) * size;
  result.bytes.assign(static_cast<size_t>((result.before + problem.columns + result.after) * size),
                      kGuardByte);
  for (int64_t column = 0; column < problem.columns; ++column) {
    const uint32_t bits = encode(problem.format, problem.logit(row, column));
    std::memcpy(&result.bytes[static_cast<size_t>((result.before + column) * size)], &bits,
                static_cast<size_t>(size));
  }
  return result;
}

// Appends the row's values to `values` and checks the guards, given the bytes now in the buffer.
inline void read_row(const Problem& problem, const RowBytes& row, std::vector<double>& values) {
  const int64_t size = problem.format.bytes;
  const int64_t end = row.before + problem.columns + row.after;
  for (int64_t i = 0; i < end; ++i) {
    uint32_t bits = 0;
    std::memcpy(&bits, &row.bytes[static_cast<size_t>(i * size)], static_cast<size_t>(size));
    if (i >= row.before && i < row.before + problem.columns) {
      values.push_back(decode(problem.format, bits));
    } else {
      ASSERT_EQ(bits, 0xa5a5a5a5u >> (32 - 8 * size)) << "written outside a row, element " << i;
    }
  }
}

// ---- The reference ----

struct RowReference {
  double ce = 0;
  double ce_tolerance = 0;
  std::vector<double> probability;
  // Of each probability, absolute.
  std::vector<double> tolerance;
};

// An exponential has an error of 2^-22 from the instruction, and of |x - max|·(2^-24 + 2^-24 +
// 2^-26) from the rounding of the difference, of the product with log2 e, and of log2 e; a sum of
// them one of some 2^-23, as have a quotient and a product each.
constexpr double kExpError = 0x1p-22;
constexpr double kExponentError = 2.25 * 0x1p-24;
constexpr double kRestError = 4 * 0x1p-24;
constexpr double kFlushed = 0x1p-126;  // an exponential below becomes 0

inline RowReference reference(const Problem& problem, int64_t row) {
  const int64_t columns = problem.columns;
  double max = -kInfinity;
  for (int64_t v = 0; v < columns; ++v) {
    if (!(problem.logit(row, v) <= max)) max = problem.logit(row, v);
    if (std::isnan(max)) break;
  }
  RowReference result;
  double sum = 0;
  double sum_error = 0;
  for (int64_t v = 0; v < columns; ++v) {
    const double x = problem.logit(row, v) - max;
    const double exp = std::exp(x);
    const double error = exp == 0 ? 0 : exp * (kExpError - x * kExponentError) + kFlushed;
    sum += exp;
    // Errors of opposite sign are taken to cancel in no way.
    sum_error += exp == 1 ? 0 : error;
    result.probability.push_back(exp);
    result.tolerance.push_back(error);
  }
  const double sum_relative = sum_error / sum + kRestError;
  for (int64_t v = 0; v < columns; ++v) {
    double& p = result.probability[static_cast<size_t>(v)];
    double& error = result.tolerance[static_cast<size_t>(v)];
    error = error / sum + p / sum * sum_relative;
    p /= sum;
  }
  const int64_t target = problem.targets[static_cast<size_t>(row)];
  if (target < 0 || target >= columns) {
    result.ce = kNan;
    return result;
  }
  result.ce = std::log(sum) + (max - problem.logit(row, target));
  // The logarithm in float32 adds a unit in its last place.
  result.ce_tolerance = sum_relative + 0x1p-23 * std::log(sum);
  return result;
}

#define EXPECT_CLOSE(actual, expected, tolerance) \
  if (std::isnan(expected)) {                     \
    ASSERT_TRUE(std::isnan(actual)) << (actual);  \
  } else if ((actual) != (expected)) {            \
    ASSERT_NEAR(actual, expected, tolerance);     \
  }

inline void check_sums(const Problem& problem, const std::vector<double>& row_ce,
                       double weighted_sum, double ce_sum) {
  double weighted = 0;
  double plain = 0;
  double magnitude = 0;
  for (size_t i = 0; i < row_ce.size(); ++i) {
    const int64_t target = problem.targets[i];
    if (target == kIgnored) continue;
    const double weight = target >= 0 && target < problem.columns
                              ? problem.weights[static_cast<size_t>(target)]
                              : kNan;
    weighted += weight * row_ce[i];
    plain += row_ce[i];
    magnitude += std::fabs(weight * row_ce[i]);
  }
  EXPECT_CLOSE(weighted_sum, weighted, 1e-14 * magnitude);
  EXPECT_CLOSE(ce_sum, plain, 1e-14 * plain);
}

inline void check_gradient(const Problem& problem, const GradientResult& result) {
  ASSERT_EQ(result.gradient.size(), problem.logits.size());
  for (int64_t i = 0; i < problem.rows; ++i) {
    SCOPED_TRACE("row " + std::to_string(i));
    const int64_t target = problem.targets[static_cast<size_t>(i)];
    const double* gradient = &result.gradient[static_cast<size_t>(i * problem.columns)];
    const double ce = result.row_ce[static_cast<size_t>(i)];
    if (target == kIgnored) {
      EXPECT_EQ(ce, 0);
      for (int64_t v = 0; v < problem.columns; ++v) ASSERT_EQ(gradient[v], 0) << "column " << v;
      continue;
    }
    const RowReference row = reference(problem, i);
    EXPECT_CLOSE(ce, row.ce, row.ce_tolerance);
    const bool is_column = target >= 0 && target < problem.columns;
    const double scale =
        is_column ? problem.weights[static_cast<size_t>(target)] / problem.weight_sum : kNan;
    for (int64_t v = 0; v < problem.columns; ++v) {
      const double p = row.probability[static_cast<size_t>(v)];
      const double expected = scale * (v == target ? p - 1 : p);
      // The scale and the product with it are rounded too; of p - 1 the rounding is of p's size.
      const double error = scale * row.tolerance[static_cast<size_t>(v)] +
                           std::fabs(expected) * kRestError + 0x1p-149;
      const double tolerance = error + rounding_error(problem.format, std::fabs(expected) + error);
      SCOPED_TRACE("column " + std::to_string(v));
      EXPECT_CLOSE(gradient[v], expected, tolerance);
    }
  }
  check_sums(problem, result.row_ce, result.weighted_sum, result.ce_sum);
}

inline void check_evaluation(const Problem& problem, const EvaluationResult& result) {
  for (int64_t i = 0; i < problem.rows; ++i) {
    SCOPED_TRACE("row " + std::to_string(i));
    const double ce = result.row_ce[static_cast<size_t>(i)];
    const int64_t argmax = result.argmax[static_cast<size_t>(i)];
    const double* mass = &result.band_mass[static_cast<size_t>(i * kPdlCudaBands)];
    if (problem.targets[static_cast<size_t>(i)] == kIgnored) {
      EXPECT_EQ(ce, 0);
      EXPECT_EQ(argmax, -1);
      for (int b = 0; b < kPdlCudaBands; ++b) EXPECT_EQ(mass[b], 0);
      continue;
    }
    const RowReference row = reference(problem, i);
    EXPECT_CLOSE(ce, row.ce, row.ce_tolerance);
    int64_t best = 0;
    double expected_mass[kPdlCudaBands] = {};
    double tolerance[kPdlCudaBands] = {};
    for (int64_t v = 0; v < problem.columns; ++v) {
      const double x = problem.logit(i, v);
      if (std::isnan(x)) best = -1;
      if (best >= 0 && x > problem.logit(i, best)) best = v;
      const int band = problem.bands[static_cast<size_t>(v)];
      if (band >= kPdlCudaBands) continue;
      const double p = row.probability[static_cast<size_t>(v)];
      expected_mass[band] += p;
      tolerance[band] += row.tolerance[static_cast<size_t>(v)] + p * kRestError;
    }
    EXPECT_EQ(argmax, best);
    for (int b = 0; b < kPdlCudaBands; ++b) {
      SCOPED_TRACE("band " + std::to_string(b));
      // A row without a defined softmax has none for the tokens of a band without tokens either.
      const double expected = std::isnan(row.probability[0]) ? kNan : expected_mass[b];
      EXPECT_CLOSE(mass[b], expected, tolerance[b]);
    }
  }
  check_sums(problem, result.row_ce, result.weighted_sum, result.ce_sum);
}

// ---- Making problems ----

// Normal logits of standard deviation 3, targets of which a fifth is ignored (row 0 has a target,
// the last row the last column), log-normal weights; an ignored row is NaN.
inline Problem random_problem(const Format& format, int64_t rows, int64_t columns,
                              unsigned seed = 1) {
  std::mt19937_64 random(seed + static_cast<unsigned>(rows * 131 + columns));
  std::normal_distribution<double> normal;
  Problem problem;
  problem.format = format;
  problem.rows = rows;
  problem.columns = columns;
  problem.row_stride = columns;
  for (int64_t v = 0; v < columns; ++v) {
    problem.weights.push_back(static_cast<float>(std::exp(normal(random))));
    problem.bands.push_back(static_cast<uint8_t>(random() % kPdlCudaBands));
  }
  problem.weight_sum = 0;
  for (int64_t i = 0; i < rows; ++i) {
    int64_t target = static_cast<int64_t>(random() % static_cast<uint64_t>(columns));
    if (i == rows - 1) target = columns - 1;
    if (i > 0 && i < rows - 1 && random() % 5 == 0) target = kIgnored;
    problem.targets.push_back(target);
    if (target != kIgnored) problem.weight_sum += problem.weights[static_cast<size_t>(target)];
    for (int64_t v = 0; v < columns; ++v) {
      const double x = target == kIgnored ? kNan : 3 * normal(random);
      problem.logits.push_back(decode(format, encode(format, x)));
    }
  }
  return problem;
}

// ---- Tests ----

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
