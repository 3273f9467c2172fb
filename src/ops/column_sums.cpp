#include "pdl/ops/column_sums.h"

#include <ATen/Parallel.h>
#include <ATen/ops/index_put.h>

#include <algorithm>

#include "cpu_tensors.h"
#include "pdl/kernels/cpu_kernels.h"

#ifndef _OPENMP
#error "at::parallel_for runs in one thread in a file that is compiled without -fopenmp"
#endif

namespace pdl {
namespace {

// Calls visit(first, count) for columns of which each thread has its own, so that the order of a
// sum is that of the rows.
template <class Visit>
void for_each_columns(int64_t num_rows, int64_t num_columns, const Visit& visit) {
  constexpr int64_t kColumns = 32;
  const int64_t num_blocks = (num_columns + kColumns - 1) / kColumns;
  // Small matrices are not worth a second thread.
  const int64_t grain = std::max<int64_t>(1, 32'768 / std::max<int64_t>(1, num_rows * kColumns));
  at::parallel_for(0, num_blocks, grain, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kColumns;
    visit(first, std::min(end * kColumns, num_columns) - first);
  });
}

template <class Value, class AddRows>
void add_columns(const at::Tensor& rows, const AddRows& add_rows, const at::Tensor& sums) {
  const int64_t width = rows.size(1);
  const auto* from = static_cast<const Value*>(rows.const_data_ptr());
  auto* to = sums.mutable_data_ptr<float>();
  for_each_columns(rows.size(0), width, [&](int64_t first, int64_t count) {
    add_rows(from + first, width, rows.size(0), count, to + first);
  });
}

}  // namespace

void add_column_sums(const at::Tensor& x, const at::Tensor& sums) {
  if (!is_cpu_factor(x)) {
    sums.add_(x.sum(0, /*keepdim=*/false, sums.scalar_type()));
    return;
  }
  const at::Tensor rows = x.contiguous();
  if (is_cpu_float(rows)) {
    add_columns<float>(rows, cpu_kernels().add_float_rows, sums);
  } else {
    add_columns<Bfloat16>(rows, cpu_kernels().add_bfloat16_rows, sums);
  }
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
  const auto add_rows = cpu_kernels().add_float_rows;
  for_each_columns(values.size(0), width, [&](int64_t first, int64_t count) {
    for (int64_t row = 0; row < values.size(0); ++row)
      add_rows(from + row * width + first, width, 1, count, to + index[row] * width + first);
  });
}

}  // namespace pdl
