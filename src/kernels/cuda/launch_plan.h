// Computes on the host how the kernels of cross_entropy.cuh are launched.
#pragma once

#include <algorithm>
#include <cstdint>

namespace pdl::cuda {

constexpr int kWarpSize = 32;
constexpr int kMinThreads = 128;
constexpr int kMaxThreads = 1024;
constexpr int kVectorBytes = 16;   // the widest load of a thread
constexpr int kPacksInFlight = 2;  // loads that a thread issues before it waits for the first

// Shared memory that the kernels declare themselves, rounded up.
constexpr int64_t kStaticSharedBytes = 4096;

// Shared memory for a row, with room to align vectors as they are in the row, wherever the row
// starts.
inline int64_t shared_row_bytes(int64_t columns, int64_t element_size) {
  return columns * element_size + kVectorBytes - element_size;
}

struct LaunchPlan {
  int passes = 1;             // how often a row is read from global memory
  int threads = kMinThreads;  // of a block
  int64_t shared_bytes = 0;   // dynamic shared memory of a block
};

// Plans for rows of `columns` elements of `element_size` bytes that are read once and not kept.
inline LaunchPlan plan_single_pass(int64_t columns, int64_t element_size) {
  const int64_t columns_per_warp = kVectorBytes / element_size * kPacksInFlight * kWarpSize;
  const int64_t warps = (columns + columns_per_warp - 1) / columns_per_warp;
  LaunchPlan plan;
  plan.threads = static_cast<int>(
      std::clamp<int64_t>(warps * kWarpSize, int64_t{kMinThreads}, int64_t{kMaxThreads}));
  return plan;
}

// Plans for rows that the kernel needs twice. They are kept in shared memory if it holds one, else
// they are read again. A block may use `shared_memory_limit` bytes of it.
inline LaunchPlan plan_cross_entropy(int64_t columns, int64_t element_size,
                                     int64_t shared_memory_limit) {
  LaunchPlan plan = plan_single_pass(columns, element_size);
  const int64_t row_bytes = shared_row_bytes(columns, element_size);
  const int64_t block_bytes = row_bytes + kStaticSharedBytes;
  if (block_bytes <= shared_memory_limit) {
    plan.shared_bytes = row_bytes;
    // Two blocks per multiprocessor if it holds two rows: one loads while the other reduces.
    if (2 * block_bytes <= shared_memory_limit) {
      plan.threads = std::min(plan.threads, kMaxThreads / 2);
    }
  } else {
    plan.passes = 2;
  }
  return plan;
}

// Returns the number of blocks that loop over `rows`: as many as run at once. For rows that are
// read twice it is one per multiprocessor, so that the second pass finds its row in L2.
inline int64_t plan_grid(int64_t rows, int64_t multiprocessors, int64_t blocks_per_multiprocessor,
                         int passes) {
  const int64_t resident = passes == 1 ? std::max<int64_t>(blocks_per_multiprocessor, 1) : 1;
  return std::min(rows, multiprocessors * resident);
}

}  // namespace pdl::cuda
