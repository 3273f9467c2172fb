#include "pdl/ops/product.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <cstdint>

#include "cpu_tensors.h"
#include "pdl/kernels/cpu_kernels.h"

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

// Parts of a product: `rows` x `columns` each, but for the last of a row or column.
struct Parts {
  int64_t rows;
  int64_t columns;
};

// The rows or columns of a part where `size` of them are divided among `parts`.
int64_t part_size(int64_t size, int64_t parts) {
  constexpr int64_t kUnit = 64;  // a whole number of a kernel's tiles
  const int64_t even = (size + parts - 1) / parts;
  return even <= kUnit / 2 ? even : (even + kUnit - 1) / kUnit * kUnit;
}

// Each part copies its rows of `a` and its columns of `b`, so that parts shall be square.
Parts divide(int64_t rows, int64_t columns, int64_t wanted) {
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

// Calls multiply(out, a, b) for about `wanted` parts, on all threads.
template <class Multiply>
void for_each_part(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, int64_t wanted,
                   const Multiply& multiply) {
  const int64_t rows = out.size(0);
  const int64_t columns = out.size(1);
  const Parts part = divide(rows, columns, wanted);
  const int64_t across = (columns + part.columns - 1) / part.columns;
  const int64_t down = (rows + part.rows - 1) / part.rows;
  at::parallel_for(0, down * across, /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / across * part.rows;
      const int64_t column = i % across * part.columns;
      const int64_t height = std::min(part.rows, rows - row);
      const int64_t width = std::min(part.columns, columns - column);
      multiply(out.narrow(0, row, height).narrow(1, column, width), a.narrow(0, row, height),
               b.narrow(1, column, width));
    }
  });
}

bool has_own_kernel(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b) {
  return out.stride(1) == 1 && is_cpu_float(out) && is_cpu_float(a) && is_cpu_float(b);
}

MatrixView view_of(const at::Tensor& matrix) {
  return {matrix.const_data_ptr<float>(), matrix.stride(0), matrix.stride(1)};
}

// The bits of a value depend on the depth alone, so that the parts may depend on the threads.
void multiply_floats(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, bool adds) {
  constexpr int64_t kLeastWork = int64_t{1} << 17;  // multiplications that are worth a thread
  const ProductKernels& kernels = cpu_kernels().product;
  const int64_t work = out.size(0) * out.size(1) * a.size(1);
  const int64_t wanted = std::clamp<int64_t>(work / kLeastWork, 1, at::get_num_threads());
  for_each_part(out, a, b, wanted,
                [&](const at::Tensor& part, const at::Tensor& part_a, const at::Tensor& part_b) {
                  const int64_t rows = part.size(0);
                  const int64_t columns = part.size(1);
                  const int64_t depth = part_a.size(1);
                  const at::Tensor workspace =
                      at::empty({kernels.workspace(rows, columns, depth)}, part.options());
                  kernels.multiply(view_of(part_a), view_of(part_b), rows, columns, depth,
                                   {part.mutable_data_ptr<float>(), part.stride(0)}, adds,
                                   workspace.mutable_data_ptr<float>());
                });
}

// The order of a BLAS's sums depends on the size of a part, so that the parts depend on the shapes.
// There are two at least: within a parallel region a BLAS uses no threads of its own.
void multiply_by_blas(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, bool adds) {
  constexpr int64_t kMostParts = 16;
  constexpr int64_t kLeastWork = int64_t{1} << 26;  // multiplications, for copies not to count
  const int64_t work = out.size(0) * out.size(1) * a.size(1);
  for_each_part(out, a, b, std::clamp<int64_t>(work / kLeastWork, 2, kMostParts),
                [adds](const at::Tensor& part, const at::Tensor& part_a, const at::Tensor& part_b) {
                  multiply_part(part, part_a, part_b, adds);
                });
}

}  // namespace

void multiply_into(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, bool adds) {
  if (out.numel() == 0) return;
  if (has_own_kernel(out, a, b)) return multiply_floats(out, a, b, adds);
  if (out.is_cpu()) return multiply_by_blas(out, a, b, adds);
  multiply_part(out, a, b, adds);
}

at::Tensor matrix_product(const at::Tensor& a, const at::Tensor& b) {
  at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  multiply_into(out, a, b);
  return out;
}

}  // namespace pdl
