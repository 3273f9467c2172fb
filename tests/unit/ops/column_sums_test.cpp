#include "pdl/ops/column_sums.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "support/any_threads.h"

namespace pdl {
namespace {

// Expects add(sums) to add `added`, and any number of threads to give the same bits.
template <class Add>
void expect_sums(const at::Tensor& before, const at::Tensor& added, const Add& add) {
  expect_same_bits_with_any_threads([&] {
    const at::Tensor sums = before.clone();
    add(sums);
    EXPECT_TRUE(at::allclose(sums.to(at::kDouble), before.to(at::kDouble).add(added), 1e-5, 1e-5));
    return sums;
  });
}

TEST(ColumnSumsTest, AddRowsOfBothDtypes) {
  for (const auto& [rows, columns] : {std::pair{1, 1}, {3, 65}, {700, 129}, {0, 5}}) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(columns) + c10::toString(dtype));
      const at::Tensor x = at::randn({rows, columns}).to(dtype);
      expect_sums(at::randn({columns}), x.to(at::kDouble).sum(0),
                  [&](const at::Tensor& sums) { add_column_sums(x, sums); });
    }
  }
}

TEST(ColumnSumsTest, AddToTheRowsOfAnIndex) {
  const at::Tensor x = at::randn({500, 67});
  const at::Tensor rows = at::randint(0, 11, {500}, at::kLong);
  const at::Tensor added = at::zeros({12, 67}, at::kDouble).index_add(0, rows, x.to(at::kDouble));
  expect_sums(at::randn({12, 67}), added,
              [&](const at::Tensor& sums) { add_to_rows(x, rows, sums); });
}

}  // namespace
}  // namespace pdl
