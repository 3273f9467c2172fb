#include "pdl/ops/product.h"

#include <ATen/Parallel.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "cpu_tensors.h"
#include "pdl/base/error.h"
#include "pdl/kernels/cpu_kernels.h"

#ifndef _OPENMP
#error "at::parallel_for runs in one thread in a file that is compiled without -fopenmp"
#endif

namespace pdl {
namespace {

// Parts of a product: `rows` x `columns` each, but for the last of a row or column.
struct Parts {
  int64_t rows;
  int64_t columns;
};

// The rows or columns of a part where `size` of them are divided among `parts`.
int64_t part_size(int64_t size, int64_t parts) {
  constexpr int64_t kUnit = 64;  // whole cache lines, and few tiles that are not whole
  const int64_t even = (size + parts - 1) / parts;
  return even <= kUnit / 2 ? even : (even + kUnit - 1) / kUnit * kUnit;
}

// Each part reads its rows of `a` and its columns of `b`, so that parts shall be square.
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

// A part of a product, which begins with this column of the whole.
struct Part {
  at::Tensor out;
  at::Tensor a;
  at::Tensor b;
  int64_t column;

  int64_t rows() const { return out.size(0); }
  int64_t columns() const { return out.size(1); }
  int64_t depth() const { return a.size(1); }
};

// Calls multiply(part, workspace) for parts of a product on all threads, with what the kernels ask
// for as workspace. The bits of a value depend on the depth alone, so that the parts may depend on
// the threads.
template <class Kernels, class Multiply>
void for_each_part(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b,
                   const Kernels& kernels, const Multiply& multiply) {
  require_contiguous_rows(out, "the result of a product");
  constexpr int64_t kLeastWork = int64_t{1} << 17;  // multiplications that are worth a thread
  const int64_t work = out.size(0) * out.size(1) * a.size(1);
  const int64_t wanted = std::clamp<int64_t>(work / kLeastWork, 1, at::get_num_threads());
  const int64_t rows = out.size(0);
  const int64_t columns = out.size(1);
  const Parts size = divide(rows, columns, wanted);
  const int64_t across = (columns + size.columns - 1) / size.columns;
  const int64_t down = (rows + size.rows - 1) / size.rows;
  at::parallel_for(0, down * across, /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / across * size.rows;
      const int64_t column = i % across * size.columns;
      const int64_t height = std::min(size.rows, rows - row);
      const int64_t width = std::min(size.columns, columns - column);
      const Part part{out.narrow(0, row, height).narrow(1, column, width), a.narrow(0, row, height),
                      b.narrow(1, column, width), column};
      const at::Tensor workspace =
          at::empty({kernels.workspace(height, width, part.depth())}, at::kFloat);
      multiply(part, workspace.mutable_data_ptr<float>());
    }
  });
}

const ProductKernels& kernels_of(ProductPrecision precision) {
  if (precision == ProductPrecision::kBfloat16) return cpu_kernels().bfloat16_product;
  if (precision == ProductPrecision::kBfloat16x3) return cpu_kernels().split_product;
  if (precision == ProductPrecision::kFloat32) return cpu_kernels().product;
  throw Error(ExitCode::kInternal, "there are no products of float16 on the CPU");
}

void multiply_on_cpu(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b,
                     const ProductKernels& kernels, Writing writing) {
  for_each_part(out, a, b, kernels, [&](const Part& part, float* workspace) {
    kernels.multiply(view_of(part.a), view_of(part.b), part.rows(), part.columns(), part.depth(),
                     {part.out.mutable_data_ptr<float>(), part.out.stride(0)}, writing, workspace);
  });
}

void multiply_rounded_on_cpu(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b,
                             const at::Tensor& bias, const RoundedProductKernels& kernels) {
  const float* biases = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  for_each_part(out, a, b, kernels, [&](const Part& part, float* workspace) {
    kernels.multiply(view_of(part.a), view_of(part.b), part.rows(), part.columns(), part.depth(),
                     biases == nullptr ? nullptr : biases + part.column,
                     {static_cast<Bfloat16*>(part.out.mutable_data_ptr()), part.out.stride(0)},
                     workspace);
  });
}

at::ScalarType dtype_of(ProductPrecision precision, at::ScalarType exact) {
  if (precision == ProductPrecision::kBfloat16) return at::kBFloat16;
  return precision == ProductPrecision::kFloat16 ? at::kHalf : exact;
}

void multiply_by_aten(at::Tensor out, const at::Tensor& a, const at::Tensor& b,
                      ProductPrecision precision, Writing writing) {
  const bool adds = writing == Writing::kAdd;
  if (precision == ProductPrecision::kBfloat16x3)
    throw Error(ExitCode::kInternal, "there are no products of split factors by ATen");
  const at::ScalarType dtype = dtype_of(precision, out.scalar_type());
  const at::Tensor left = a.to(dtype);
  const at::Tensor right = b.to(dtype);
  if (dtype != out.scalar_type()) {
    const at::Tensor product = at::mm(left, right);
    adds ? out.add_(product) : out.copy_(product);
  } else if (adds) {
    out.addmm_(left, right);
  } else {
    at::mm_out(out, left, right);
  }
}

std::atomic<double> all_multiplications = 0;

double multiplications_of(const at::Tensor& a, const at::Tensor& b) {
  return static_cast<double>(a.numel()) * static_cast<double>(b.size(1));
}

}  // namespace

void multiply_into(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b,
                   ProductPrecision precision, Writing writing) {
  if (out.numel() == 0) return;
  add_multiplications(multiplications_of(a, b));
  if (is_cpu_float(out) && is_cpu_factor(a) && is_cpu_factor(b))
    return multiply_on_cpu(out, a, b, kernels_of(precision), writing);
  multiply_by_aten(out, a, b, precision, writing);
}

at::Tensor rounded_product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  const RoundedProductKernels* kernels = cpu_kernels().rounded_product;
  if (!a.is_cpu()) {
    add_multiplications(multiplications_of(a, b));
    const at::Tensor left = a.to(at::kBFloat16);
    const at::Tensor right = b.to(at::kBFloat16);
    return bias.defined() ? at::addmm(bias.to(at::kBFloat16), left, right) : at::mm(left, right);
  }
  if (kernels == nullptr) {
    const at::Tensor product = matrix_product(a, b, ProductPrecision::kBfloat16);
    return (bias.defined() ? product.add_(bias) : product).to(at::kBFloat16);
  }
  at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options().dtype(at::kBFloat16));
  if (out.numel() == 0) return out;
  add_multiplications(multiplications_of(a, b));
  const at::Tensor biases = bias.defined() ? bias.to(at::kFloat).contiguous() : bias;
  multiply_rounded_on_cpu(out, a, b, biases, *kernels);
  return out;
}

at::Tensor few_rows_product(const at::Tensor& x, const at::Tensor& b) {
  add_multiplications(multiplications_of(x, b));
  if (!is_cpu_float(x) || !is_cpu_factor(b)) return at::mm(x, b.to(x.scalar_type()));
  require_contiguous_rows(x, "what is multiplied");
  if (b.stride(0) != 1) require_contiguous_rows(b, "a matrix for few rows");
  const at::Tensor out = at::empty({x.size(0), b.size(1)}, x.options());
  const auto multiply = cpu_kernels().few_rows.multiply;
  constexpr int64_t kLeastColumns = 64;  // whole cache lines of the result
  at::parallel_for(0, (b.size(1) + kLeastColumns - 1) / kLeastColumns, /*grain_size=*/1,
                   [&](int64_t begin, int64_t end) {
                     const int64_t first = begin * kLeastColumns;
                     const int64_t last = std::min(end * kLeastColumns, b.size(1));
                     const at::Tensor part = b.narrow(1, first, last - first);
                     multiply({x.const_data_ptr<float>(), x.stride(0)}, view_of(part), x.size(0),
                              last - first, b.size(0),
                              {out.mutable_data_ptr<float>() + first, out.stride(0)});
                   });
  return out;
}

double count_multiplications() { return all_multiplications; }

void add_multiplications(double count) { all_multiplications += count; }

double measure_multiplication_rate(ProductPrecision precision) {
  using Clock = std::chrono::steady_clock;
  constexpr int64_t kSize = 384;
  constexpr int kTimes = 50;
  const int64_t rows = kSize * at::get_num_threads();
  const at::Tensor a = at::ones({rows, kSize}, at::kFloat);
  const at::Tensor b = at::ones({kSize, kSize}, at::kFloat);
  const at::Tensor out = at::empty({rows, kSize}, at::kFloat);
  auto least = std::chrono::duration<double>::max();
  for (int i = 0; i < kTimes; ++i) {
    const Clock::time_point begin = Clock::now();
    multiply_into(out, a, b, precision);
    least = std::min<std::chrono::duration<double>>(least, Clock::now() - begin);
  }
  return static_cast<double>(rows * kSize * kSize) / least.count();
}

at::Tensor matrix_product(const at::Tensor& a, const at::Tensor& b, ProductPrecision precision) {
  const at::ScalarType dtype = a.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options().dtype(dtype));
  multiply_into(out, a, b, precision);
  return out;
}

}  // namespace pdl
