#include "pdl/ops/column_sums.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <string>

namespace pdl {
namespace {

// The sums on one thread and on three.
template <class Add>
std::pair<at::Tensor, at::Tensor> sums_of(const at::Tensor& before, const Add& add) {
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor sums = before.clone();
  add(sums);
  at::set_num_threads(3);
  const at::Tensor again = before.clone();
  add(again);
  at::set_num_threads(threads);
  return {sums, again};
}

TEST(ColumnSumsTest, AddRowsOfBothDtypes) {
  for (const auto& [rows, columns] : {std::pair{1, 1}, {3, 65}, {700, 129}, {0, 5}}) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(columns) + c10::toString(dtype));
      const at::Tensor x = at::randn({rows, columns}).to(dtype);
      const at::Tensor before = at::randn({columns});
      const auto [sums, again] =
          sums_of(before, [&x = x](const at::Tensor& to) { add_column_sums(x, to); });
      const at::Tensor expected = before.to(at::kDouble).add(x.to(at::kDouble).sum(0));
      EXPECT_TRUE(at::allclose(sums.to(at::kDouble), expected, 1e-5, 1e-5));
      EXPECT_TRUE(at::equal(sums, again)) << "the sums depend on the number of threads";
    }
  }
}

TEST(ColumnSumsTest, AddToTheRowsOfAnIndex) {
  const at::Tensor x = at::randn({500, 67});
  const at::Tensor rows = at::randint(0, 11, {500}, at::kLong);
  const at::Tensor before = at::randn({12, 67});
  const auto [sums, again] =
      sums_of(before, [&](const at::Tensor& to) { add_to_rows(x, rows, to); });
  const at::Tensor expected = before.to(at::kDouble).index_add(0, rows, x.to(at::kDouble));
  EXPECT_TRUE(at::allclose(sums.to(at::kDouble), expected, 1e-5, 1e-5));
  EXPECT_TRUE(at::equal(sums, again)) << "the sums depend on the number of threads";
}

}  // namespace
}  // namespace pdl
