#include "pdl/ops/column_sums.h"

#include <ATen/Parallel.h>
#include <ATen/ops/index_put.h>

#include <algorithm>

#include "cpu_tensors.h"

#ifndef _OPENMP
#error "at::parallel_for runs in one thread in a file that is compiled without -fopenmp"
#endif

namespace pdl {
namespace {

// Each thread has columns of its own, so that the order of a sum is that of the rows.
template <class AddRow>
void for_each_row_by_columns(int64_t num_rows, int64_t num_columns, const AddRow& add_row) {
  constexpr int64_t kColumns = 32;
  const int64_t num_blocks = (num_columns + kColumns - 1) / kColumns;
  // Small matrices are not worth a second thread.
  const int64_t grain = std::max<int64_t>(1, 32'768 / std::max<int64_t>(1, num_rows * kColumns));
  at::parallel_for(0, num_blocks, grain, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kColumns;
    const int64_t last = std::min(end * kColumns, num_columns);
    for (int64_t row = 0; row < num_rows; ++row) add_row(row, first, last);
  });
}

template <class Value>
void add_columns(const at::Tensor& rows, float* to) {
  const int64_t width = rows.size(1);
  const auto* from = static_cast<const Value*>(rows.const_data_ptr());
  for_each_row_by_columns(rows.size(0), width, [&](int64_t row, int64_t first, int64_t last) {
    const Value* values = from + row * width;
    for (int64_t i = first; i < last; ++i) to[i] += static_cast<float>(values[i]);
  });
}

}  // namespace

void add_column_sums(const at::Tensor& x, const at::Tensor& sums) {
  if (!is_cpu_factor(x)) {
    sums.add_(x.sum(0, /*keepdim=*/false, sums.scalar_type()));
    return;
  }
  const at::Tensor rows = x.contiguous();
  const auto add = is_cpu_float(rows) ? add_columns<float> : add_columns<c10::BFloat16>;
  add(rows, sums.mutable_data_ptr<float>());
}

void add_to_rows(const at::Tensor& x, const at::Tensor& rows, const at::Tensor& sums) {
  if (!is_cpu_float(x)) {
    sums.index_put_({rows}, x, /*accumulate=*/true);
    return;
  }
  const at::Tensor values = x.contiguous();
  const at::Tensor indices = rows.contiguous();
  const int64_t width = values.size(1);
  const auto* from = values.const_data_ptr<float>();
  const auto* index = indices.const_data_ptr<int64_t>();
  auto* to = sums.mutable_data_ptr<float>();
  for_each_row_by_columns(values.size(0), width, [&](int64_t row, int64_t first, int64_t last) {
    const float* source = from + row * width;
    float* target = to + index[row] * width;
    for (int64_t i = first; i < last; ++i) target[i] += source[i];
  });
}

}  // namespace pdl
