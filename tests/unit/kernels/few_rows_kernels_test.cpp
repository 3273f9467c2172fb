#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "pdl/kernels/cpu_kernels.h"
#include "support/bfloat16.h"
#include "support/instruction_sets.h"

namespace pdl {
namespace {

constexpr float kUntouched = 12345;
constexpr int64_t kGap = 3;  // between rows

class FewRowsKernelsTest : public testing::TestWithParam<InstructionSet> {
 protected:
  const FewRowsKernels& kernels() const { return cpu_kernels(GetParam()).few_rows; }
};

PDL_FOR_EACH_INSTRUCTION_SET(FewRowsKernelsTest);

// A product of x [rows, depth] and b [depth, columns], with a gap after each contiguous row.
struct Problem {
  Problem(int64_t row_count, int64_t column_count, int64_t inner, bool has_long_rows,
          bool is_bfloat16)
      : rows(row_count), columns(column_count), depth(inner) {
    std::mt19937 generator(static_cast<unsigned>(rows * 1000 + columns * 10 + depth));
    std::normal_distribution<float> distribution;
    x.resize(static_cast<size_t>(rows * (depth + kGap)), kUntouched);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t k = 0; k < depth; ++k) x[place(r, k, depth)] = distribution(generator);
    const int64_t lines = has_long_rows ? depth : columns;
    const int64_t width = has_long_rows ? columns : depth;
    b.resize(static_cast<size_t>(lines * (width + kGap)), kUntouched);
    for (int64_t l = 0; l < lines; ++l) {
      for (int64_t i = 0; i < width; ++i) b[place(l, i, width)] = distribution(generator);
    }
    row_stride = has_long_rows ? width + kGap : 1;
    column_stride = has_long_rows ? 1 : width + kGap;
    if (!is_bfloat16) return;
    for (float& value : b) {
      halves.push_back(to_bfloat16(value));
      value = to_float(halves.back());
    }
  }

  static size_t place(int64_t line, int64_t i, int64_t width) {
    return static_cast<size_t>(line * (width + kGap) + i);
  }
  MatrixView view() const {
    if (halves.empty()) return {b.data(), row_stride, column_stride};
    return {nullptr, row_stride, column_stride, halves.data()};
  }
  double exact(int64_t row, int64_t column) const {
    double sum = 0;
    for (int64_t k = 0; k < depth; ++k) {
      sum += static_cast<double>(x[place(row, k, depth)]) *
             static_cast<double>(b[static_cast<size_t>(k * row_stride + column * column_stride)]);
    }
    return sum;
  }

  int64_t rows, columns, depth;
  std::vector<float> x, b;
  std::vector<Bfloat16> halves;
  int64_t row_stride = 0, column_stride = 0;
};

std::vector<float> multiply(const FewRowsKernels& kernels, const Problem& problem,
                            int64_t first_row, int64_t rows) {
  const int64_t stride = problem.columns + kGap;
  std::vector<float> result(static_cast<size_t>(rows * stride), kUntouched);
  kernels.multiply(
      {problem.x.data() + Problem::place(first_row, 0, problem.depth), problem.depth + kGap},
      problem.view(), rows, problem.columns, problem.depth, {result.data(), stride});
  return result;
}

TEST_P(FewRowsKernelsTest, AgreeWithFloat64) {
  for (const bool has_long_rows : {false, true}) {
    for (const bool is_bfloat16 : {false, true}) {
      for (const auto& [rows, columns, depth] : {std::array<int64_t, 3>{1, 1, 1},
                                                 {1, 5, 7},
                                                 {2, 4, 8},
                                                 {3, 9, 33},
                                                 {16, 70, 64},
                                                 {5, 600, 17},
                                                 {7, 3, 1000},
                                                 {1, 1040, 100},
                                                 {4, 4, 0}}) {
        const Problem problem(rows, columns, depth, has_long_rows, is_bfloat16);
        const std::vector<float> result = multiply(kernels(), problem, 0, rows);
        const double bound = 1e-6 * (std::sqrt(static_cast<double>(depth)) * 4 + 1);
        for (int64_t r = 0; r < rows; ++r) {
          for (int64_t c = 0; c < columns; ++c) {
            ASSERT_NEAR(result[Problem::place(r, c, columns)], problem.exact(r, c), bound)
                << rows << "x" << columns << "x" << depth << " at " << r << ", " << c;
          }
          for (int64_t i = 0; i < kGap; ++i)
            ASSERT_EQ(result[Problem::place(r, columns + i, columns)], kUntouched);
        }
      }
    }
  }
}

TEST_P(FewRowsKernelsTest, OtherRowsChangeNoBit) {
  for (const bool has_long_rows : {false, true}) {
    const Problem problem(11, 75, 131, has_long_rows, false);
    const std::vector<float> all = multiply(kernels(), problem, 0, problem.rows);
    for (int64_t row = 0; row < problem.rows; ++row) {
      for (const int64_t rows : {int64_t{1}, std::min<int64_t>(4, problem.rows - row)}) {
        const std::vector<float> some = multiply(kernels(), problem, row, rows);
        const auto expected = all.begin() + row * (problem.columns + kGap);
        EXPECT_TRUE(std::equal(some.begin(), some.end(), expected)) << "row " << row;
      }
    }
  }
}

TEST_P(FewRowsKernelsTest, SoftmaxAgreesWithFloat64) {
  std::mt19937 generator(1);
  std::normal_distribution<float> distribution(0, 5);
  for (const float softcap : {0.f, 3.f}) {
    for (const int64_t size : {1, 2, 15, 16, 17, 100, 1001}) {
      std::vector<float> scores(static_cast<size_t>(size));
      for (float& score : scores) score = distribution(generator);
      std::vector<double> expected;
      double sum = 0;
      for (const float score : scores) {
        double value = 0.25 * static_cast<double>(score);
        if (softcap > 0) value = 3 * std::tanh(value / 3);
        expected.push_back(std::exp(value));
        sum += expected.back();
      }
      std::vector<float> guarded = scores;
      guarded.push_back(kUntouched);
      kernels().softmax(guarded.data(), size, 0.25f, softcap);
      for (size_t i = 0; i < scores.size(); ++i)
        EXPECT_NEAR(guarded[i], expected[i] / sum, 2e-6 * expected[i] / sum + 1e-9) << i;
      EXPECT_EQ(guarded.back(), kUntouched);
    }
  }
}

TEST_P(FewRowsKernelsTest, ANanStaysInItsRow) {
  Problem problem(5, 20, 40, /*has_long_rows=*/false, false);
  problem.x[Problem::place(3, 7, problem.depth)] = NAN;
  const std::vector<float> result = multiply(kernels(), problem, 0, problem.rows);
  for (int64_t r = 0; r < problem.rows; ++r)
    EXPECT_EQ(std::isnan(result[Problem::place(r, 19, problem.columns)]), r == 3);
  std::vector<float> scores = {1, NAN, 2};
  kernels().softmax(scores.data(), 3, 1, 0);
  for (const float score : scores) EXPECT_TRUE(std::isnan(score));
}

}  // namespace
}  // namespace pdl
