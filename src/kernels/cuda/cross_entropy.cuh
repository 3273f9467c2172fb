// The kernels of pdl/kernels/cuda_cross_entropy.h. A block works on one row at a time; its number
// of threads is a multiple of kWarpSize, at most kMaxThreads.
#pragma once

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch_plan.h"

#include "pdl/kernels/cuda_cross_entropy.h"

namespace pdl::cuda {

constexpr int64_t kIgnoredTarget = kPdlCudaIgnoredTarget;
constexpr int kBands = 8;
constexpr unsigned kAllLanes = 0xffffffffu;
constexpr float kLog2E = 1.44269504f;

// ---- Elements ----

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ __forceinline__ float to_float(__half x) { return __half2float(x); }

__device__ __forceinline__ void assign(float& to, float x) { to = x; }
__device__ __forceinline__ void assign(__nv_bfloat16& to, float x) { to = __float2bfloat16_rn(x); }
__device__ __forceinline__ void assign(__half& to, float x) { to = __float2half_rn(x); }

// Computes e^x for x <= 0. Rounding the product once gives e^x a relative error of |x|·2^-24.
__device__ __forceinline__ float exp_nonpositive(float x) { return exp2_approximate(x * kLog2E); }

// ---- Rows ----

template <class T>
struct Matrix {
  T* data;
  int64_t rows;
  int64_t columns;
  int64_t row_stride;  // in elements

  PDL_HOST_DEVICE T* row(int64_t i) const { return data + i * row_stride; }
};

template <class T>
constexpr int kVectorSize = kVectorBytes / static_cast<int>(sizeof(T));

// A row is `head` single elements up to an aligned address, `vectors` vectors, and single elements
// from column `tail` on.
struct RowLayout {
  int64_t head;
  int64_t vectors;
  int64_t tail;
  int64_t columns;
};

template <class T>
PDL_HOST_DEVICE inline RowLayout row_layout(const T* row, int64_t columns) {
  const auto misaligned = static_cast<int64_t>(reinterpret_cast<uintptr_t>(row) % kVectorBytes);
  const int64_t to_aligned =
      (kVectorBytes - misaligned) % kVectorBytes / static_cast<int64_t>(sizeof(T));
  RowLayout layout;
  layout.head = to_aligned < columns ? to_aligned : columns;
  layout.vectors = (columns - layout.head) / kVectorSize<T>;
  layout.tail = layout.head + layout.vectors * kVectorSize<T>;
  layout.columns = columns;
  return layout;
}

// Elements that are loaded and stored together, in one access.
template <class T, int kCount>
struct Pack {
  static constexpr int kSize = kCount;
  T values[kCount];
};

template <class T>
using Vector = Pack<T, kVectorSize<T>>;

// nvcc splits the copy of an array of elements, but not the copy of a uint4.
template <class T>
__device__ __forceinline__ Vector<T> to_vector(const uint4& bits) {
  Vector<T> vector;
  memcpy(&vector, &bits, sizeof(bits));
  return vector;
}

template <class T>
__device__ __forceinline__ void store(T* to, const Vector<T>& vector) {
  uint4 bits;
  memcpy(&bits, &vector, sizeof(bits));
  *reinterpret_cast<uint4*>(to) = bits;
}

template <class T>
__device__ __forceinline__ void store(T* to, const Pack<T, 1>& element) {
  *to = element.values[0];
}

// Calls visit(first column, pack) for this thread's share of a row, in the order of the columns.
// The share depends on the layout alone. Hence every pass over a row, or a copy of it, gives a
// thread the same elements, and no barrier is needed between passes.
template <class T, class Visit>
__device__ __forceinline__ void for_each_pack(const T* row, const RowLayout& layout, Visit visit) {
  const int64_t thread = threadIdx.x;
  const int64_t threads = blockDim.x;
  if (thread < layout.head) visit(thread, Pack<T, 1>{{row[thread]}});
  for (int64_t begin = thread; begin < layout.vectors; begin += kPacksInFlight * threads) {
    uint4 bits[kPacksInFlight];
    PDL_UNROLL
    for (int i = 0; i < kPacksInFlight; ++i) {
      const int64_t vector = begin + i * threads;
      if (vector < layout.vectors) {
        bits[i] = *reinterpret_cast<const uint4*>(row + layout.head + vector * kVectorSize<T>);
      }
    }
    PDL_UNROLL
    for (int i = 0; i < kPacksInFlight; ++i) {
      const int64_t vector = begin + i * threads;
      if (vector < layout.vectors) {
        visit(layout.head + vector * kVectorSize<T>, to_vector<T>(bits[i]));
      }
    }
  }
  if (layout.tail + thread < layout.columns) {
    visit(layout.tail + thread, Pack<T, 1>{{row[layout.tail + thread]}});
  }
}

template <class T>
__device__ __forceinline__ void zero_row(T* row, const RowLayout& layout) {
  const int64_t thread = threadIdx.x;
  const int64_t threads = blockDim.x;
  Pack<T, 1> zero;
  assign(zero.values[0], 0.0f);
  Vector<T> zeros;
  PDL_UNROLL
  for (int k = 0; k < kVectorSize<T>; ++k) zeros.values[k] = zero.values[0];
  if (thread < layout.head) store(row + thread, zero);
  for (int64_t vector = thread; vector < layout.vectors; vector += threads) {
    store(row + layout.head + vector * kVectorSize<T>, zeros);
  }
  if (layout.tail + thread < layout.columns) store(row + layout.tail + thread, zero);
}

// Returns the place of a row's copy in shared memory where its vectors are aligned too. All threads
// must call it, because the copy of the last row may still be read, and rows of another alignment
// are divided among the threads in another way.
template <class T>
__device__ __forceinline__ T* begin_copy(const RowLayout& layout) {
  __syncthreads();
  const int64_t padding = (kVectorSize<T> - layout.head % kVectorSize<T>) % kVectorSize<T>;
  return reinterpret_cast<T*>(dynamic_shared_memory()) + padding;
}

// ---- Reductions ----

struct Sum {
  template <class V>
  __device__ V operator()(V a, V b) const {
    return a + b;
  }
};

// Ignores NaN, because the sums carry it.
struct Max {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

struct Min {
  __device__ int64_t operator()(int64_t a, int64_t b) const { return a < b ? a : b; }
};

// Every lane gets the same bits, because each step combines the same two values in both lanes and
// the operations are commutative.
template <class V, class Combine>
__device__ __forceinline__ V warp_reduce(V value, Combine combine) {
  PDL_UNROLL
  for (int lanes = kWarpSize / 2; lanes > 0; lanes /= 2) {
    value = combine(value, __shfl_xor_sync(kAllLanes, value, lanes));
  }
  return value;
}

// Every thread of the block gets the same bits. All threads must call it.
template <class V, class Combine>
__device__ __forceinline__ V block_reduce(V value, V identity, Combine combine) {
  __shared__ V of_warp[kWarpSize];
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const int warps = static_cast<int>(blockDim.x) / kWarpSize;
  value = warp_reduce(value, combine);
  __syncthreads();  // the last reduction may still read of_warp
  if (lane == 0) of_warp[warp] = value;
  __syncthreads();
  return warp_reduce(lane < warps ? of_warp[lane] : identity, combine);
}

// Holds max x and Σ e^(x - max x), of one thread's share or of a row.
struct ExpSum {
  // Finite, so that -inf needs no special case: its e^(x - max) is 0.
  float max = -FLT_MAX;
  float sum = 0.0f;

  template <class T, int kCount>
  __device__ __forceinline__ void add(const Pack<T, kCount>& pack) {
    float pack_max = to_float(pack.values[0]);
    PDL_UNROLL
    for (int k = 1; k < kCount; ++k) pack_max = fmaxf(pack_max, to_float(pack.values[k]));
    if (pack_max > max) {
      sum *= exp_nonpositive(max - pack_max);
      max = pack_max;
    }
    // Added up separately first, for fewer roundings at the size of the sum.
    float pack_sum = 0.0f;
    PDL_UNROLL
    for (int k = 0; k < kCount; ++k) pack_sum += exp_nonpositive(to_float(pack.values[k]) - max);
    sum += pack_sum;
  }

  // Combines the shares of all threads of the block into the row's.
  __device__ __forceinline__ ExpSum of_block() const {
    ExpSum row;
    row.max = block_reduce(max, -FLT_MAX, Max());
    row.sum = block_reduce(sum * exp_nonpositive(max - row.max), 0.0f, Sum());
    return row;
  }

  // Only the logarithm is rounded to float32; the rest is exact, however far the logit is from the
  // maximum.
  __device__ __forceinline__ double cross_entropy(float target_logit) const {
    return static_cast<double>(logf(sum)) -
           (static_cast<double>(target_logit) - static_cast<double>(max));
  }
};

// ---- Kernels ----

__device__ __forceinline__ bool is_column(int64_t target, int64_t columns) {
  return target >= 0 && target < columns;
}

// Returns NaN for a target that is not a column.
__device__ __forceinline__ float weight_of(const float* weights, int64_t target, int64_t columns) {
  return is_column(target, columns) ? weights[target] : NAN;
}

template <class T>
__device__ __forceinline__ float logit_of(const T* row, int64_t target, int64_t columns) {
  return is_column(target, columns) ? to_float(row[target]) : NAN;
}

// See pdl_cuda_cross_entropy_gradient. With kRowOnChip, the dynamic shared memory holds a row
// (shared_row_bytes), which is read from global memory once; without, it is read twice.
template <class T, bool kRowOnChip>
__global__ void __launch_bounds__(kMaxThreads)
    gradient_kernel(Matrix<T> logits, const int64_t* targets, const float* weights,
                    const double* weight_sum, double* row_ce) {
  for (int64_t i = blockIdx.x; i < logits.rows; i += gridDim.x) {
    T* const row = logits.row(i);
    const RowLayout layout = row_layout(row, logits.columns);
    const int64_t target = targets[i];
    if (target == kIgnoredTarget) {
      zero_row(row, layout);
      if (threadIdx.x == 0) row_ce[i] = 0.0;
      continue;
    }
    // Read before the barriers below, after which the gradient overwrites it.
    const float target_logit = logit_of(row, target, logits.columns);
    const float scale =
        weight_of(weights, target, logits.columns) / static_cast<float>(*weight_sum);

    T* const copy = kRowOnChip ? begin_copy<T>(layout) : nullptr;
    ExpSum share;
    for_each_pack(row, layout, [&](int64_t first, const auto& pack) {
      if constexpr (kRowOnChip) store(copy + first, pack);
      share.add(pack);
    });
    const ExpSum whole = share.of_block();
    if (threadIdx.x == 0) row_ce[i] = whole.cross_entropy(target_logit);

    const float scale_over_sum = scale / whole.sum;
    const T* const source = kRowOnChip ? copy : row;
    for_each_pack(source, layout, [&](int64_t first, auto pack) {
      constexpr int kCount = decltype(pack)::kSize;
      const int64_t target_in_pack = target - first;
      float target_exp = 0.0f;
      PDL_UNROLL
      for (int k = 0; k < kCount; ++k) {
        const float exp = exp_nonpositive(to_float(pack.values[k]) - whole.max);
        if (k == target_in_pack) target_exp = exp;
        assign(pack.values[k], exp * scale_over_sum);
      }
      if (target_in_pack >= 0 && target_in_pack < kCount) {
        // Subtracts before rounding to T, because p - 1 cancels.
        const float target_gradient = scale * (target_exp / whole.sum - 1.0f);
        PDL_UNROLL
        for (int k = 0; k < kCount; ++k) {
          if (k == target_in_pack) assign(pack.values[k], target_gradient);
        }
      }
      store(row + first, pack);
    });
  }
}

// See pdl_cuda_cross_entropy_evaluation; kRowOnChip as above.
template <class T, bool kRowOnChip>
__global__ void __launch_bounds__(kMaxThreads)
    evaluation_kernel(Matrix<const T> logits, const int64_t* targets, const uint8_t* bands,
                      double* row_ce, int64_t* argmax, double* band_mass) {
  __shared__ float warp_band_sums[kBands][kWarpSize];
  const int thread = static_cast<int>(threadIdx.x);
  const int warps = static_cast<int>(blockDim.x) / kWarpSize;
  for (int64_t i = blockIdx.x; i < logits.rows; i += gridDim.x) {
    const T* const row = logits.row(i);
    const RowLayout layout = row_layout(row, logits.columns);
    const int64_t target = targets[i];
    if (target == kIgnoredTarget) {
      if (thread == 0) row_ce[i] = 0.0;
      if (thread == 0) argmax[i] = -1;
      if (thread < kBands) band_mass[i * kBands + thread] = 0.0;
      continue;
    }

    T* const copy = kRowOnChip ? begin_copy<T>(layout) : nullptr;
    ExpSum share;
    float best = -INFINITY;
    int64_t best_column = INT64_MAX;
    bool has_nan = false;
    for_each_pack(row, layout, [&](int64_t first, const auto& pack) {
      constexpr int kCount = std::decay_t<decltype(pack)>::kSize;
      if constexpr (kRowOnChip) store(copy + first, pack);
      share.add(pack);
      PDL_UNROLL
      for (int k = 0; k < kCount; ++k) {
        const float x = to_float(pack.values[k]);
        has_nan |= x != x;
        if (x > best || best_column == INT64_MAX) {
          best = x;
          best_column = first + k;
        }
      }
    });
    const ExpSum whole = share.of_block();
    const float row_best = block_reduce(best, -INFINITY, Max());
    int64_t candidate = best == row_best ? best_column : INT64_MAX;
    if (has_nan) candidate = -1;
    const int64_t row_argmax = block_reduce(candidate, int64_t{INT64_MAX}, Min());
    if (thread == 0) {
      row_ce[i] = whole.cross_entropy(logit_of(row, target, logits.columns));
      argmax[i] = row_argmax;
    }

    float band_sums[kBands] = {};
    const T* const source = kRowOnChip ? copy : row;
    for_each_pack(source, layout, [&](int64_t first, const auto& pack) {
      constexpr int kCount = std::decay_t<decltype(pack)>::kSize;
      PDL_UNROLL
      for (int k = 0; k < kCount; ++k) {
        const float exp = exp_nonpositive(to_float(pack.values[k]) - whole.max);
        const int band = bands[first + k];
        PDL_UNROLL
        for (int b = 0; b < kBands; ++b) {
          if (b == band) band_sums[b] += exp;
        }
      }
    });
    // The barriers of the reductions above separate these writes from the reads for the last row.
    PDL_UNROLL
    for (int b = 0; b < kBands; ++b) {
      const float warp_sum = warp_reduce(band_sums[b], Sum());
      if (thread % kWarpSize == 0) warp_band_sums[b][thread / kWarpSize] = warp_sum;
    }
    __syncthreads();
    if (thread < kBands) {
      double band_sum = 0.0;
      for (int warp = 0; warp < warps; ++warp) band_sum += warp_band_sums[thread][warp];
      band_mass[i * kBands + thread] = band_sum / whole.sum;
    }
  }
}

// See pdl_cuda_cross_entropy_sums. For a grid of one block.
static __global__ void __launch_bounds__(kMaxThreads)
    sums_kernel(const double* row_ce, const int64_t* targets, const float* weights, int64_t rows,
                int64_t columns, double* weighted_sum, double* ce_sum) {
  double weighted = 0.0;
  double plain = 0.0;
  for (int64_t i = threadIdx.x; i < rows; i += blockDim.x) {
    if (targets[i] == kIgnoredTarget) continue;
    weighted += static_cast<double>(weight_of(weights, targets[i], columns)) * row_ce[i];
    plain += row_ce[i];
  }
  weighted = block_reduce(weighted, 0.0, Sum());
  plain = block_reduce(plain, 0.0, Sum());
  if (threadIdx.x == 0) {
    *weighted_sum = weighted;
    *ce_sum = plain;
  }
}

// See pdl_cuda_scale_unless_one.
template <class T>
__global__ void __launch_bounds__(kMaxThreads)
    scale_unless_one_kernel(Matrix<T> gradient, const double* scale) {
  if (*scale == 1.0) return;
  const auto factor = static_cast<float>(*scale);
  for (int64_t i = blockIdx.x; i < gradient.rows; i += gridDim.x) {
    T* const row = gradient.row(i);
    for_each_pack(row, row_layout(row, gradient.columns), [&](int64_t first, auto pack) {
      PDL_UNROLL
      for (int k = 0; k < decltype(pack)::kSize; ++k) {
        assign(pack.values[k], to_float(pack.values[k]) * factor);
      }
      store(row + first, pack);
    });
  }
}

}  // namespace pdl::cuda
