// Problems for the kernels of pdl/kernels/cuda_cross_entropy.h, and the driver that runs the
// kernels on them: the emulation on the CPU has one, and a device.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "pdl/kernels/cuda_cross_entropy.h"
#include "support/float_formats.h"

namespace pdl::cuda_cases {

constexpr int64_t kIgnored = -100;

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

}  // namespace pdl::cuda_cases
