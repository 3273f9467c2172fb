#include "pdl/ops/product.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <cstdint>

#ifndef _OPENMP
#error "at::parallel_for runs in one thread in a file that is compiled without -fopenmp"
#endif

namespace pdl {
namespace {

void multiply_part(at::Tensor out, const at::Tensor& a, const at::Tensor& b, bool adds) {
  if (adds) {
    out.addmm_(a, b);
  } else {
    at::mm_out(out, a, b);
  }
}

constexpr int64_t kUnit = 64;  // a whole number of a kernel's tiles

// The rows or columns of a part where `size` of them are divided among `parts`.
int64_t part_size(int64_t size, int64_t parts) {
  const int64_t even = (size + parts - 1) / parts;
  return even <= kUnit / 2 ? even : (even + kUnit - 1) / kUnit * kUnit;
}

// Parts of a product: `rows` x `columns` each, but for the last of a row or column.
struct Parts {
  int64_t rows;
  int64_t columns;
};

// There are two parts at least: within a parallel region a BLAS uses no threads of its own. A BLAS
// copies the rows of `a` and the columns of `b` of each part, so that parts shall be square.
Parts divide(int64_t rows, int64_t columns, int64_t depth) {
  constexpr int64_t kMostParts = 16;
  constexpr int64_t kLeastWork = int64_t{1} << 26;  // multiplications, for copies not to count
  const int64_t wanted = std::clamp<int64_t>(rows * columns * depth / kLeastWork, 2, kMostParts);
  Parts best{rows, columns};
  int64_t least_copied = INT64_MAX;
  for (int64_t down = 1; down <= wanted; ++down) {
    const int64_t across = (wanted + down - 1) / down;
    const int64_t copied = down * columns + across * rows;
    if (copied >= least_copied || down > rows || across > columns) continue;
    least_copied = copied;
    best = {part_size(rows, down), part_size(columns, across)};
  }
  return best;
}

}  // namespace

void multiply_into(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, bool adds) {
  if (!out.is_cpu()) return multiply_part(out, a, b, adds);
  const int64_t rows = out.size(0);
  const int64_t columns = out.size(1);
  const Parts part = divide(rows, columns, a.size(1));
  const int64_t across = (columns + part.columns - 1) / part.columns;
  const int64_t down = (rows + part.rows - 1) / part.rows;
  at::parallel_for(0, down * across, /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / across * part.rows;
      const int64_t column = i % across * part.columns;
      const int64_t height = std::min(part.rows, rows - row);
      const int64_t width = std::min(part.columns, columns - column);
      multiply_part(out.narrow(0, row, height).narrow(1, column, width), a.narrow(0, row, height),
                    b.narrow(1, column, width), adds);
    }
  });
}

at::Tensor matrix_product(const at::Tensor& a, const at::Tensor& b) {
  at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  multiply_into(out, a, b);
  return out;
}

}  // namespace pdl
