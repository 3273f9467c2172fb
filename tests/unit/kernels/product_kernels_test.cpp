#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "pdl/kernels/cpu_kernels.h"
#include "support/bfloat16.h"
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
  std::vector<Bfloat16> bfloat16;  // the same values; empty: they are stored as float32

  MatrixView view() const {
    if (bfloat16.empty()) return {values.data(), row_stride, column_stride};
    return {nullptr, row_stride, column_stride, bfloat16.data()};
  }
  float at(int64_t row, int64_t column) const {
    return values[static_cast<size_t>(row * row_stride + column * column_stride)];
  }
};

enum class Layout { kByRows, kByColumns };

Matrix random_matrix(int64_t rows, int64_t columns, Layout layout, bool is_bfloat16,
                     unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> distribution;
  const bool by_columns = layout == Layout::kByColumns;
  Matrix matrix{std::vector<float>(static_cast<size_t>(rows * columns)),
                by_columns ? 1 : columns,
                by_columns ? rows : 1,
                {}};
  for (float& value : matrix.values) {
    value = distribution(generator);
    if (!is_bfloat16) continue;
    matrix.bfloat16.push_back(to_bfloat16(value));
    value = to_float(matrix.bfloat16.back());
  }
  return matrix;
}

// One of the products of a set of kernels.
struct Product {
  const char* name;
  ProductKernels CpuKernels::*kernels;
  double error;  // of a term, relative
};

const Product kProducts[] = {{"exact", &CpuKernels::product, 0},
                             {"bfloat16", &CpuKernels::bfloat16_product, 0},
                             {"split", &CpuKernels::split_product, 0x1p-15}};

struct Shape {
  int64_t rows;
  int64_t columns;
  int64_t depth;
};

class ProductKernelsTest : public testing::TestWithParam<InstructionSet> {
 protected:
  // Multiplies into a result whose rows lie apart; what lies between them stays.
  std::vector<float> multiply(const Product& product, const MatrixView& a, const MatrixView& b,
                              const Shape& shape, Writing writing, float before) const {
    const ProductKernels& kernels = cpu_kernels(GetParam()).*product.kernels;
    const int64_t stride = shape.columns + kGap;
    std::vector<float> result(static_cast<size_t>(shape.rows * stride), kUntouched);
    for (int64_t r = 0; r < shape.rows; ++r)
      std::fill_n(result.begin() + r * stride, shape.columns, before);
    const auto size =
        static_cast<size_t>(kernels.workspace(shape.rows, shape.columns, shape.depth));
    std::vector<float> workspace(size + 1, kUntouched);
    kernels.multiply(a, b, shape.rows, shape.columns, shape.depth, {result.data(), stride}, writing,
                     workspace.data());
    EXPECT_EQ(workspace[size], kUntouched);
    return result;
  }

  void expect_product(const Product& product, const Matrix& a, const Matrix& b, const Shape& shape,
                      Writing writing) const {
    const bool adds = writing == Writing::kAdd;
    const std::vector<float> result = multiply(product, a.view(), b.view(), shape, writing, 100);
    const bool rounds = product.kernels == &CpuKernels::bfloat16_product;
    const auto factor = [rounds](float value) {
      return static_cast<double>(rounds ? to_float(to_bfloat16(value)) : value);
    };
    const double rounding = 1e-6 * (std::sqrt(static_cast<double>(shape.depth)) * 3 + 100 * adds);
    for (int64_t r = 0; r < shape.rows; ++r) {
      const float* row = result.data() + r * (shape.columns + kGap);
      for (int64_t c = 0; c < shape.columns; ++c) {
        double expected = adds ? 100 : 0;
        double size = 0;
        for (int64_t k = 0; k < shape.depth; ++k) {
          const double term = factor(a.at(r, k)) * factor(b.at(k, c));
          expected += term;
          size += std::abs(term);
        }
        ASSERT_NEAR(row[c], expected, rounding + product.error * size)
            << "row " << r << ", column " << c;
      }
      for (int64_t i = 0; i < kGap; ++i) ASSERT_EQ(row[shape.columns + i], kUntouched);
    }
  }
};

PDL_FOR_EACH_INSTRUCTION_SET(ProductKernelsTest);

TEST_P(ProductKernelsTest, AgreeWithFloat64InEveryLayout) {
  unsigned seed = 0;
  for (const Shape& shape :
       {Shape{1, 1, 1}, Shape{1, 1, 1000}, Shape{3, 2, 5}, Shape{8, 48, 7}, Shape{9, 49, 64},
        Shape{97, 17, 385}, Shape{4, 385, 33}, Shape{200, 400, 3}, Shape{15, 100, 769},
        Shape{64, 96, 128}, Shape{80, 112, 672}, Shape{40, 1024, 20}}) {
    for (const Layout left : {Layout::kByRows, Layout::kByColumns}) {
      for (const Layout right : {Layout::kByRows, Layout::kByColumns}) {
        ++seed;
        const Matrix a = random_matrix(shape.rows, shape.depth, left, seed % 3 == 0, 2 * seed);
        const Matrix b = random_matrix(shape.depth, shape.columns, right, seed % 5 < 2, seed);
        for (const Product& product : kProducts) {
          SCOPED_TRACE(std::string(product.name) + ", " + std::to_string(shape.rows) + "x" +
                       std::to_string(shape.columns) + "x" + std::to_string(shape.depth) +
                       ", seed " + std::to_string(seed));
          expect_product(product, a, b, shape, Writing::kReplace);
          expect_product(product, a, b, shape, Writing::kAdd);
        }
      }
    }
  }
}

// More than is packed, or read where it lies, at once.
TEST_P(ProductKernelsTest, AgreeWithFloat64BeyondABlock) {
  for (const Shape& shape :
       {Shape{2055, 3, 40}, Shape{3, 700, 900}, Shape{3, 1040, 1100}, Shape{70, 33, 2000}}) {
    const Matrix a = random_matrix(shape.rows, shape.depth, Layout::kByRows, false, 1);
    const Matrix b = random_matrix(shape.depth, shape.columns, Layout::kByRows, false, 2);
    for (const Product& product : kProducts) expect_product(product, a, b, shape, Writing::kAdd);
  }
}

std::vector<std::pair<Product, Layout>> every_product_and_layout() {
  std::vector<std::pair<Product, Layout>> all;
  for (const Product& product : kProducts) {
    for (const Layout layout : {Layout::kByRows, Layout::kByColumns})
      all.emplace_back(product, layout);
  }
  return all;
}

// Whatever the place of rows in a cache line.
TEST_P(ProductKernelsTest, StreamingWritesTheSameBits) {
  for (const Shape& shape : {Shape{1, 1, 1}, Shape{3, 5, 40}, Shape{33, 47, 33}, Shape{40, 300, 64},
                             Shape{70, 130, 1300}, Shape{5, 1040, 640}}) {
    const Matrix a = random_matrix(shape.rows, shape.depth, Layout::kByRows, false, 1);
    const Matrix b = random_matrix(shape.depth, shape.columns, Layout::kByColumns, false, 2);
    for (const Product& product : kProducts) {
      const auto result = [&](Writing writing) {
        return multiply(product, a.view(), b.view(), shape, writing, 100);
      };
      EXPECT_EQ(result(Writing::kStream), result(Writing::kReplace)) << product.name;
    }
  }
}

// Some parts are read where they lie, others and the whole are copied.
TEST_P(ProductKernelsTest, APartHasTheBitsThatItHasInTheWhole) {
  const Shape whole{211, 423, 900};
  for (const auto& [product, layout] : every_product_and_layout()) {
    const Matrix a = random_matrix(whole.rows, whole.depth, layout, false, 1);
    const Matrix b = random_matrix(whole.depth, whole.columns, layout, false, 2);
    const std::vector<float> all =
        multiply(product, a.view(), b.view(), whole, Writing::kReplace, 0);
    for (const Shape& part :
         {Shape{1, 1, whole.depth}, Shape{7, 50, whole.depth}, Shape{9, 48, whole.depth},
          Shape{100, 20, whole.depth}, Shape{40, 401, whole.depth}}) {
      for (const int64_t row : {int64_t{0}, int64_t{5}, whole.rows - part.rows}) {
        const int64_t column = row % 19;
        MatrixView part_a = a.view();
        MatrixView part_b = b.view();
        part_a.values += row * part_a.row_stride;
        part_b.values += column * part_b.column_stride;
        const std::vector<float> result =
            multiply(product, part_a, part_b, part, Writing::kReplace, 0);
        for (int64_t r = 0; r < part.rows; ++r) {
          const auto expected = all.begin() + (row + r) * (whole.columns + kGap) + column;
          ASSERT_TRUE(std::equal(expected, expected + part.columns,
                                 result.begin() + r * (part.columns + kGap)))
              << product.name << ", " << part.rows << "x" << part.columns << " from row " << row
              << ", row " << r;
        }
      }
    }
  }
}

// Of what is not rounded, which is tested above.
TEST_P(ProductKernelsTest, ARoundedProductIsRoundedOnce) {
  const RoundedProductKernels* kernels = cpu_kernels(GetParam()).rounded_product;
  if (kernels == nullptr) GTEST_SKIP() << "this set has no instructions for bfloat16";
  unsigned seed = 0;
  for (const Shape& shape : {Shape{1, 1, 1}, Shape{2, 3, 0}, Shape{9, 49, 64}, Shape{97, 17, 385},
                             Shape{64, 96, 640}, Shape{33, 130, 700}, Shape{70, 900, 1300}}) {
    for (const bool has_bias : {false, true}) {
      ++seed;
      const Matrix a = random_matrix(shape.rows, shape.depth, Layout::kByRows, seed % 2 == 0, seed);
      const Matrix b = random_matrix(shape.depth, shape.columns, Layout::kByColumns, false, seed);
      const Matrix bias = random_matrix(1, shape.columns, Layout::kByRows, false, seed);
      const std::vector<float> exact =
          multiply(kProducts[1], a.view(), b.view(), shape, Writing::kReplace, 0);
      const int64_t stride = shape.columns + kGap;
      std::vector<Bfloat16> result(exact.size(), to_bfloat16(kUntouched));
      const auto size =
          static_cast<size_t>(kernels->workspace(shape.rows, shape.columns, shape.depth));
      std::vector<float> workspace(size + 1, kUntouched);
      kernels->multiply(a.view(), b.view(), shape.rows, shape.columns, shape.depth,
                        has_bias ? bias.values.data() : nullptr, {result.data(), stride},
                        workspace.data());
      ASSERT_EQ(workspace[size], kUntouched);
      for (int64_t i = 0; i < shape.rows * stride; ++i) {
        const auto place = static_cast<size_t>(i);
        const int64_t column = i % stride;
        const bool is_gap = column >= shape.columns;
        const float added = has_bias && !is_gap ? bias.values[static_cast<size_t>(column)] : 0.f;
        ASSERT_EQ(result[place].bits, to_bfloat16(exact[place] + added).bits)
            << shape.rows << "x" << shape.columns << "x" << shape.depth << ", place " << i;
      }
    }
  }
}

TEST_P(ProductKernelsTest, AnEmptySumIsZero) {
  const Shape shape{2, 3, 0};
  const float none = 0;
  for (const Product& product : kProducts) {
    const std::vector<float> result =
        multiply(product, {&none, 0, 0}, {&none, 0, 0}, shape, Writing::kReplace, 7);
    EXPECT_EQ(result[0], 0);
    EXPECT_EQ(result[static_cast<size_t>(shape.columns + kGap) + 2], 0);
  }
}

TEST_P(ProductKernelsTest, NanAndInfinityStayInTheirRow) {
  const Shape shape{9, 20, 40};
  Matrix a = random_matrix(shape.rows, shape.depth, Layout::kByRows, false, 1);
  const Matrix b = random_matrix(shape.depth, shape.columns, Layout::kByRows, false, 2);
  a.values[static_cast<size_t>(3 * shape.depth + 5)] = NAN;
  a.values[static_cast<size_t>(8 * shape.depth)] = INFINITY;
  for (const Product& product : kProducts) {
    const std::vector<float> result =
        multiply(product, a.view(), b.view(), shape, Writing::kReplace, 0);
    for (int64_t r = 0; r < shape.rows; ++r) {
      for (int64_t c = 0; c < shape.columns; ++c) {
        const float value = result[static_cast<size_t>(r * (shape.columns + kGap) + c)];
        const bool splits = product.kernels == &CpuKernels::split_product;
        EXPECT_EQ(std::isnan(value), r == 3 || (splits && r == 8)) << product.name << " " << r;
        EXPECT_EQ(std::isinf(value), r == 8 && !splits) << product.name << " " << r;
      }
    }
  }
}

}  // namespace
}  // namespace pdl
