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

constexpr float kUntouched = 12345;
constexpr int64_t kGap = 3;  // between the rows of a result

// A matrix and how it lies in memory.
struct Matrix {
  std::vector<float> values;
  int64_t row_stride;
  int64_t column_stride;

  MatrixView view() const { return {values.data(), row_stride, column_stride}; }
  float at(int64_t row, int64_t column) const {
    return values[static_cast<size_t>(row * row_stride + column * column_stride)];
  }
};

Matrix random_matrix(int64_t rows, int64_t columns, bool by_columns, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> distribution;
  Matrix matrix{std::vector<float>(static_cast<size_t>(rows * columns)), by_columns ? 1 : columns,
                by_columns ? rows : 1};
  for (float& value : matrix.values) value = distribution(generator);
  return matrix;
}

struct Shape {
  int64_t rows;
  int64_t columns;
  int64_t depth;
};

class ProductKernelsTest : public testing::TestWithParam<InstructionSet> {
 protected:
  // Multiplies into a result whose rows lie apart; what lies between them stays.
  std::vector<float> multiply(const MatrixView& a, const MatrixView& b, const Shape& shape,
                              bool adds, float before) const {
    const int64_t stride = shape.columns + kGap;
    std::vector<float> result(static_cast<size_t>(shape.rows * stride), kUntouched);
    for (int64_t r = 0; r < shape.rows; ++r)
      std::fill_n(result.begin() + r * stride, shape.columns, before);
    std::vector<float> workspace(
        static_cast<size_t>(kernels_.workspace(shape.rows, shape.columns, shape.depth)),
        kUntouched);
    kernels_.multiply(a, b, shape.rows, shape.columns, shape.depth, {result.data(), stride}, adds,
                      workspace.data());
    return result;
  }

  const ProductKernels& kernels_ = cpu_kernels(GetParam()).product;
};

PDL_FOR_EACH_INSTRUCTION_SET(ProductKernelsTest);

TEST_P(ProductKernelsTest, AgreeWithFloat64InEveryLayout) {
  unsigned seed = 0;
  for (const Shape& shape :
       {Shape{1, 1, 1}, Shape{1, 1, 1000}, Shape{3, 2, 5}, Shape{8, 48, 7}, Shape{9, 49, 64},
        Shape{97, 17, 385}, Shape{4, 385, 33}, Shape{200, 400, 3}, Shape{15, 100, 769}}) {
    for (const int layout : {0, 1, 2, 3}) {
      const Matrix a = random_matrix(shape.rows, shape.depth, (layout & 1) != 0, ++seed);
      const Matrix b = random_matrix(shape.depth, shape.columns, (layout & 2) != 0, ++seed);
      for (const bool adds : {false, true}) {
        const std::vector<float> result = multiply(a.view(), b.view(), shape, adds, 100);
        const double bound = 1e-6 * (std::sqrt(static_cast<double>(shape.depth)) * 3 + 100 * adds);
        for (int64_t r = 0; r < shape.rows; ++r) {
          const float* row = result.data() + r * (shape.columns + kGap);
          for (int64_t c = 0; c < shape.columns; ++c) {
            double expected = adds ? 100 : 0;
            for (int64_t k = 0; k < shape.depth; ++k)
              expected += static_cast<double>(a.at(r, k)) * static_cast<double>(b.at(k, c));
            ASSERT_NEAR(row[c], expected, bound)
                << shape.rows << "x" << shape.columns << "x" << shape.depth << ", layout " << layout
                << ", row " << r << ", column " << c;
          }
          for (int64_t i = 0; i < kGap; ++i) ASSERT_EQ(row[shape.columns + i], kUntouched);
        }
      }
    }
  }
}

TEST_P(ProductKernelsTest, APartHasTheBitsThatItHasInTheWhole) {
  const Shape whole{211, 423, 900};
  const Matrix a = random_matrix(whole.rows, whole.depth, false, 1);
  const Matrix b = random_matrix(whole.depth, whole.columns, true, 2);
  const std::vector<float> all = multiply(a.view(), b.view(), whole, false, 0);
  for (const Shape& part : {Shape{1, 1, whole.depth}, Shape{7, 50, whole.depth},
                            Shape{100, 20, whole.depth}, Shape{40, 401, whole.depth}}) {
    for (const int64_t row : {int64_t{0}, int64_t{5}, whole.rows - part.rows}) {
      const int64_t column = row % 19;
      MatrixView part_a = a.view();
      MatrixView part_b = b.view();
      part_a.values += row * part_a.row_stride;
      part_b.values += column * part_b.column_stride;
      const std::vector<float> result = multiply(part_a, part_b, part, false, 0);
      for (int64_t r = 0; r < part.rows; ++r) {
        const auto expected = all.begin() + (row + r) * (whole.columns + kGap) + column;
        ASSERT_TRUE(std::equal(expected, expected + part.columns,
                               result.begin() + r * (part.columns + kGap)))
            << part.rows << "x" << part.columns << " from row " << row << ", row " << r;
      }
    }
  }
}

TEST_P(ProductKernelsTest, AnEmptySumIsZero) {
  const Shape shape{2, 3, 0};
  const float none = 0;
  const std::vector<float> result = multiply({&none, 0, 0}, {&none, 0, 0}, shape, false, 7);
  EXPECT_EQ(result[0], 0);
  EXPECT_EQ(result[static_cast<size_t>(shape.columns + kGap) + 2], 0);
}

TEST_P(ProductKernelsTest, NanAndInfinityStayInTheirRow) {
  const Shape shape{9, 20, 40};
  Matrix a = random_matrix(shape.rows, shape.depth, false, 1);
  const Matrix b = random_matrix(shape.depth, shape.columns, false, 2);
  a.values[static_cast<size_t>(3 * shape.depth + 5)] = NAN;
  a.values[static_cast<size_t>(8 * shape.depth)] = INFINITY;
  const std::vector<float> result = multiply(a.view(), b.view(), shape, false, 0);
  for (int64_t r = 0; r < shape.rows; ++r) {
    for (int64_t c = 0; c < shape.columns; ++c) {
      const float value = result[static_cast<size_t>(r * (shape.columns + kGap) + c)];
      EXPECT_EQ(std::isnan(value), r == 3) << r;
      EXPECT_EQ(std::isinf(value), r == 8) << r;
    }
  }
}

}  // namespace
}  // namespace pdl
