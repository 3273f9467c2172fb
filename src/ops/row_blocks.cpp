#include "pdl/ops/row_blocks.h"

#include <ATen/Parallel.h>

#include <algorithm>

#ifndef _OPENMP
#error "at::parallel_for runs in one thread in a file that is compiled without -fopenmp"
#endif

namespace pdl {

int64_t rows_per_block(const at::Tensor& x) {
  constexpr int64_t kBlockElements = 16'384;
  return std::max<int64_t>(1, kBlockElements / std::max<int64_t>(1, x.size(1)));
}

int64_t num_row_blocks(const at::Tensor& x) {
  const int64_t block = rows_per_block(x);
  return (x.size(0) + block - 1) / block;
}

void for_each_row_block(const at::Tensor& x,
                        const std::function<void(int64_t begin, int64_t count)>& visit) {
  const int64_t rows = x.size(0);
  if (!x.is_cpu()) return visit(0, rows);
  const int64_t block = rows_per_block(x);
  at::parallel_for(0, num_row_blocks(x), /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) visit(i * block, std::min(block, rows - i * block));
  });
}

}  // namespace pdl
