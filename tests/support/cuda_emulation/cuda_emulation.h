// Runs CUDA kernels on the CPU: what src/kernels/cuda/device.cuh needs when no nvcc compiles it.
//
// Blocks run one after another. The threads of a block are fibers that switch at barriers and
// shuffles only. Each warp runs up to its next barrier before the next warp does, in the order of
// the indices or in reverse. A kernel must compute the same in both orders. Shared memory is filled
// with bytes of 0xff before each launch, which is NaN.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(threads)
#define __shared__ static  // one block runs at a time
#define PDL_HOST_DEVICE
#define PDL_UNROLL

// ---- Types ----

struct dim3 {
  unsigned x = 1;
};

struct alignas(16) [[gnu::may_alias]] uint4 {
  unsigned x, y, z, w;
};

struct __nv_bfloat16 {
  uint16_t bits;
};

struct __half {
  uint16_t bits;
};

inline float __bfloat162float(__nv_bfloat16 x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16);
}

// To the nearest, ties to even.
inline __nv_bfloat16 __float2bfloat16_rn(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if (std::isnan(x)) return {0x7fff};
  return {static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

inline float __half2float(__half x) {
  const int exponent = (x.bits >> 10) & 0x1f;
  const int fraction = x.bits & 0x3ff;
  float magnitude = 0;
  if (exponent == 0x1f) {
    magnitude = fraction == 0 ? INFINITY : NAN;
  } else if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(fraction), -24);
  } else {
    magnitude = std::ldexp(static_cast<float>(fraction | 0x400), exponent - 25);
  }
  return (x.bits & 0x8000) ? -magnitude : magnitude;
}

// To the nearest, ties to even.
inline __half __float2half_rn(float x) {
  if (std::isnan(x)) return {0x7fff};
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const float magnitude = std::fabs(x);
  if (magnitude >= 65520.0f) return {static_cast<uint16_t>(sign | 0x7c00)};
  const int exponent = magnitude < 0x1p-14f ? -14 : std::ilogb(magnitude);
  // A fraction that rounds up to 0x800 carries into the exponent, which is correct.
  const auto fraction = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  return {static_cast<uint16_t>(sign | (((exponent + 14) << 10) + fraction))};
}

// ---- The grid ----

inline dim3 gridDim, blockDim, blockIdx, threadIdx;

namespace pdl::cuda::emulation {

constexpr int kLanes = 32;

enum class Order { kForward, kReverse };

// Thrown by launch() if threads wait for ever, or memory was written out of bounds.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Machine {
 public:
  static Machine& get() {
    static Machine machine;
    return machine;
  }

  void launch(int blocks, int threads, int64_t shared_bytes, Order order,
              const std::function<void()>& kernel) {
    if (threads % kLanes != 0) throw Failure("the threads are no multiple of a warp");
    kernel_ = &kernel;
    shared_.assign(static_cast<size_t>(shared_bytes) + kGuardBytes + kAlignment, 0xff);
    threads_.resize(static_cast<size_t>(threads));
    warps_.resize(static_cast<size_t>(threads / kLanes));
    gridDim.x = static_cast<unsigned>(blocks);
    blockDim.x = static_cast<unsigned>(threads);
    for (int block = 0; block < blocks; ++block) {
      blockIdx.x = static_cast<unsigned>(block);
      run_block(order);
    }
    const unsigned char* guard = shared() + shared_bytes;
    if (std::any_of(guard, guard + kGuardBytes, [](unsigned char byte) { return byte != 0xff; })) {
      throw Failure("the dynamic shared memory was written past its end");
    }
  }

  unsigned char* shared() {
    const auto address = reinterpret_cast<uintptr_t>(shared_.data());
    return shared_.data() + (kAlignment - address % kAlignment) % kAlignment;
  }

  void barrier() {
    wait_until_all_arrive(block_, static_cast<int>(threads_.size()), "__syncthreads");
  }

  template <class V>
  V exchange(V value, int lane_mask) {
    static_assert(sizeof(V) <= sizeof(uint64_t));
    const int lane = current_ % kLanes;
    Warp& warp = warps_[static_cast<size_t>(current_ / kLanes)];
    // Uses two sets of slots in turn, so that a set is written again only after all lanes have read
    // it.
    uint64_t* slots = warp.slots[threads_[static_cast<size_t>(current_)].shuffles++ % 2];
    std::memcpy(&slots[lane], &value, sizeof(V));
    wait_until_all_arrive(warp.meeting, kLanes, "a shuffle");
    std::memcpy(&value, &slots[lane ^ lane_mask], sizeof(V));
    return value;
  }

 private:
  static constexpr size_t kStackBytes = 256 * 1024;
  static constexpr size_t kAlignment = 16;
  static constexpr int64_t kGuardBytes = 64;

  struct Meeting {
    int arrived = 0;
    int64_t count = 0;
  };

  struct Warp {
    Meeting meeting;
    uint64_t slots[2][kLanes] = {};
  };

  struct Thread {
    ucontext_t context;
    jmp_buf place;  // where the thread resumes
    bool started = false;
    std::unique_ptr<char[]> stack;
    const Meeting* waits_for = nullptr;
    int64_t meeting_count = 0;
    const char* waits_in = nullptr;
    bool left = false;
    unsigned shuffles = 0;
  };

  static void enter() {
    Machine& machine = get();
    (*machine.kernel_)();
    machine.threads_[static_cast<size_t>(machine.current_)].left = true;
    _longjmp(machine.scheduler_, 1);
  }

  void run_block(Order order) {
    block_ = {};
    std::fill(warps_.begin(), warps_.end(), Warp());
    for (Thread& thread : threads_) {
      if (!thread.stack) thread.stack.reset(new char[kStackBytes]);
      thread.waits_for = nullptr;
      thread.started = false;
      thread.left = false;
      thread.shuffles = 0;
      getcontext(&thread.context);
      thread.context.uc_stack.ss_sp = thread.stack.get();
      thread.context.uc_stack.ss_size = kStackBytes;
      makecontext(&thread.context, enter, 0);
    }
    const int warps = static_cast<int>(warps_.size());
    for (bool progress = true; progress;) {
      progress = false;
      for (int i = 0; i < warps; ++i) {
        const int warp = order == Order::kForward ? i : warps - 1 - i;
        while (run_warp(warp, order)) progress = true;
      }
    }
    report_waiting_threads();
  }

  // Runs each thread of a warp until it waits. Returns false if all wait already.
  bool run_warp(int warp, Order order) {
    bool progress = false;
    for (int i = 0; i < kLanes; ++i) {
      current_ = warp * kLanes + (order == Order::kForward ? i : kLanes - 1 - i);
      Thread& thread = threads_[static_cast<size_t>(current_)];
      const bool waits = thread.waits_for && thread.waits_for->count == thread.meeting_count;
      if (thread.left || waits) continue;
      progress = true;
      threadIdx.x = static_cast<unsigned>(current_);
      switch_to(thread);
    }
    return progress;
  }

  // The first entry needs a context; later switches are jumps, which call no kernel.
  void switch_to(Thread& thread) {
    if (_setjmp(scheduler_) != 0) return;
    if (thread.started) _longjmp(thread.place, 1);
    thread.started = true;
    setcontext(&thread.context);
  }

  void report_waiting_threads() const {
    int left = 0;
    const Thread* waiting = nullptr;
    for (const Thread& thread : threads_) {
      left += thread.left;
      if (!thread.left) waiting = &thread;
    }
    if (!waiting) return;
    throw Failure("block " + std::to_string(blockIdx.x) + ": " + std::to_string(left) +
                  " threads have left the kernel and " +
                  std::to_string(static_cast<int>(threads_.size()) - left) +
                  " wait for ever, thread " + std::to_string(waiting - threads_.data()) + " in " +
                  waiting->waits_in);
  }

  void wait_until_all_arrive(Meeting& meeting, int expected, const char* name) {
    if (++meeting.arrived == expected) {
      meeting.arrived = 0;
      ++meeting.count;
      return;
    }
    Thread& thread = threads_[static_cast<size_t>(current_)];
    thread.waits_for = &meeting;
    thread.meeting_count = meeting.count;
    thread.waits_in = name;
    if (_setjmp(thread.place) == 0) _longjmp(scheduler_, 1);
    thread.waits_for = nullptr;
  }

  const std::function<void()>* kernel_ = nullptr;
  std::vector<unsigned char> shared_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  Meeting block_;
  jmp_buf scheduler_;
  int current_ = 0;
};

// Runs kernel() in every thread of a grid. Throws Failure.
inline void launch(int blocks, int threads, int64_t shared_bytes, Order order,
                   const std::function<void()>& kernel) {
  Machine::get().launch(blocks, threads, shared_bytes, order, kernel);
}

}  // namespace pdl::cuda::emulation

// ---- Functions of the device ----

inline void __syncthreads() { pdl::cuda::emulation::Machine::get().barrier(); }

template <class V>
V __shfl_xor_sync(unsigned, V value, int lane_mask) {
  return pdl::cuda::emulation::Machine::get().exchange(value, lane_mask);
}

namespace pdl::cuda {

// As accurate as the instruction and, like it, without subnormal results.
inline float exp2_approximate(float x) {
  const float result = std::exp2(x);
  return result < 0x1p-126f ? 0.0f : result;
}

inline unsigned char* dynamic_shared_memory() { return emulation::Machine::get().shared(); }

}  // namespace pdl::cuda
