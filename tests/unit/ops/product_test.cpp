#include "pdl/ops/product.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "support/any_threads.h"

namespace pdl {
namespace {

struct ProductCase {
  int64_t rows;
  int64_t columns;
  int64_t depth;
};

class ProductTest : public testing::TestWithParam<ProductCase> {};

TEST_P(ProductTest, IsTheProductWithAnyStrides) {
  const auto [rows, columns, depth] = GetParam();
  at::manual_seed(1);
  const at::Tensor a = at::randn({rows, depth});
  const at::Tensor b = at::randn({depth, columns});
  const at::Tensor exact = a.to(at::kDouble).matmul(b.to(at::kDouble));
  const double bound = 1e-6 * static_cast<double>(depth + 10);
  const auto error = [&](const at::Tensor& value) {
    return value.to(at::kDouble).sub(exact).abs().max().item<double>();
  };
  EXPECT_LT(error(matrix_product(a, b)), bound);
  const at::Tensor transposed_a = a.t().contiguous().t();
  const at::Tensor transposed_b = b.t().contiguous().t();
  EXPECT_LT(error(matrix_product(transposed_a, transposed_b)), bound);
  const at::Tensor wider = at::ones({rows, columns + 5});
  multiply_into(wider.narrow(1, 2, columns), a, b, ProductPrecision::kFloat32, Writing::kAdd);
  EXPECT_LT(error(wider.narrow(1, 2, columns).sub(1)), bound);
  EXPECT_TRUE(wider.narrow(1, 0, 2).eq(1).all().item<bool>());
  EXPECT_TRUE(wider.narrow(1, columns + 2, 3).eq(1).all().item<bool>());
}

// Of ATen's operators, which float64 takes, the result is rounded to bfloat16, too.
TEST_P(ProductTest, FactorsAreRounded) {
  const auto [rows, columns, depth] = GetParam();
  const at::Tensor a = at::randn({rows, depth});
  const at::Tensor b = at::randn({depth, columns});
  const auto rounded = [](const at::Tensor& x) { return x.to(at::kBFloat16).to(at::kDouble); };
  const at::Tensor exact = rounded(a).matmul(rounded(b));
  const double bound = 1e-6 * static_cast<double>(depth + 10);
  const auto error = [&](const at::Tensor& value) {
    return value.to(at::kDouble).sub(exact).abs().max().item<double>();
  };
  EXPECT_LT(error(matrix_product(a, b, ProductPrecision::kBfloat16)), bound);
  EXPECT_LT(error(matrix_product(a.to(at::kBFloat16), b.to(at::kBFloat16))), bound);
  const at::Tensor by_aten =
      matrix_product(a.to(at::kDouble), b.to(at::kDouble), ProductPrecision::kBfloat16);
  EXPECT_LT(error(by_aten), bound + 0.01 * exact.abs().max().item<double>());
  const at::Tensor sum = at::ones_like(exact);
  multiply_into(sum, a.to(at::kDouble), b.to(at::kDouble), ProductPrecision::kBfloat16,
                Writing::kAdd);
  EXPECT_TRUE(at::allclose(sum.sub(1), by_aten));
}

TEST_P(ProductTest, ARoundedProductIsRoundedOnce) {
  const auto [rows, columns, depth] = GetParam();
  const at::Tensor a = at::randn({rows, depth});
  const at::Tensor b = at::randn({columns, depth}).t();
  const at::Tensor bias = at::randn({columns});
  const at::Tensor product = matrix_product(a, b, ProductPrecision::kBfloat16);
  EXPECT_TRUE(at::equal(rounded_product(a, b), product.to(at::kBFloat16)));
  EXPECT_TRUE(at::equal(rounded_product(a, b, bias), product.add(bias).to(at::kBFloat16)));
  const at::Tensor rounded_a = a.to(at::kBFloat16);
  EXPECT_TRUE(at::equal(rounded_product(rounded_a, b), product.to(at::kBFloat16)));
  expect_same_bits_with_any_threads([&] { return rounded_product(a, b, bias); });
}

TEST_P(ProductTest, ThreadsChangeNoBit) {
  const auto [rows, columns, depth] = GetParam();
  const at::Tensor a = at::randn({rows, depth});
  const at::Tensor b = at::randn({columns, depth}).t();
  for (const auto precision :
       {ProductPrecision::kFloat32, ProductPrecision::kBfloat16, ProductPrecision::kBfloat16x3})
    expect_same_bits_with_any_threads([&] { return matrix_product(a, b, precision); });
}

INSTANTIATE_TEST_SUITE_P(All, ProductTest,
                         testing::Values(ProductCase{1, 1, 1}, ProductCase{1, 70, 3},
                                         ProductCase{70, 1, 3}, ProductCase{7, 64, 64},
                                         ProductCase{64, 22, 18}, ProductCase{502, 100, 200},
                                         ProductCase{33, 700, 576}, ProductCase{2048, 768, 256},
                                         ProductCase{64, 172, 2000}));

TEST(EmptyProductTest, MayHaveNoRowsOrColumns) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor a = at::ones({3, 4}, dtype);
    EXPECT_EQ(matrix_product(a.narrow(0, 0, 0), at::ones({4, 5}, dtype)).numel(), 0);
    EXPECT_EQ(matrix_product(a, at::ones({4, 0}, dtype)).numel(), 0);
    EXPECT_EQ(rounded_product(a, at::ones({4, 0}, dtype)).numel(), 0);
  }
}

TEST(ProductCountTest, IsOfAllProducts) {
  const double before = count_multiplications();
  matrix_product(at::ones({3, 4}), at::ones({4, 5}));
  multiply_into(at::ones({2, 2}, at::kDouble), at::ones({2, 7}, at::kDouble),
                at::ones({7, 2}, at::kDouble));
  EXPECT_EQ(count_multiplications() - before, 3 * 4 * 5 + 2 * 7 * 2);
}

}  // namespace
}  // namespace pdl
