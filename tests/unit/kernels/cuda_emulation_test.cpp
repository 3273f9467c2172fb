// Tests the emulation on which the tests of the kernels rely.
#include "support/cuda_emulation/cuda_emulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "support/float_formats.h"

namespace pdl::cuda::emulation {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class CudaEmulationTest : public testing::TestWithParam<Order> {};

INSTANTIATE_TEST_SUITE_P(Orders, CudaEmulationTest,
                         testing::Values(Order::kForward, Order::kReverse));

TEST_P(CudaEmulationTest, RunsEveryThreadOnce) {
  std::vector<int> runs(3 * 64);
  launch(3, 64, 0, GetParam(), [&] { ++runs[blockIdx.x * blockDim.x + threadIdx.x]; });
  EXPECT_EQ(runs, std::vector<int>(3 * 64, 1));
}

TEST_P(CudaEmulationTest, BarrierPartsWritesFromReads) {
  std::vector<int> read(64);
  launch(2, 64, 64 * sizeof(int), GetParam(), [&] {
    int* shared = reinterpret_cast<int*>(dynamic_shared_memory());
    for (int round = 0; round < 3; ++round) {
      __syncthreads();
      shared[threadIdx.x] = static_cast<int>(threadIdx.x) + round;
      __syncthreads();
      read[threadIdx.x] = shared[63 - threadIdx.x];
    }
  });
  for (int i = 0; i < 64; ++i) EXPECT_EQ(read[static_cast<size_t>(i)], 63 - i + 2);
}

TEST_P(CudaEmulationTest, ShuffleExchangesLanesOfAWarp) {
  std::vector<double> sums(96);
  launch(1, 96, 0, GetParam(), [&] {
    double value = threadIdx.x;
    for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(~0u, value, lanes);
    sums[threadIdx.x] = value;
  });
  for (int i = 0; i < 96; ++i) {
    EXPECT_EQ(sums[static_cast<size_t>(i)], 31 * 16 + 32 * 32 * (i / 32)) << i;
  }
}

TEST_P(CudaEmulationTest, ReportsABarrierThatNotAllReach) {
  const auto diverge = [] {
    if (threadIdx.x != 5) __syncthreads();
  };
  EXPECT_THAT([&] { launch(1, 64, 0, GetParam(), diverge); },
              ThrowsMessage<Failure>(HasSubstr("1 threads have left the kernel and 63 wait")));
}

TEST_P(CudaEmulationTest, ReportsAShuffleThatNotAllReach) {
  const auto diverge = [] {
    if (threadIdx.x < 40) __shfl_xor_sync(~0u, 1.0f, 1);
  };
  EXPECT_THAT([&] { launch(1, 64, 0, GetParam(), diverge); },
              ThrowsMessage<Failure>(HasSubstr("8 wait for ever, thread 39 in a shuffle")));
}

TEST_P(CudaEmulationTest, ReportsAWritePastSharedMemory) {
  const auto overrun = [] { dynamic_shared_memory()[threadIdx.x] = 0; };
  EXPECT_NO_THROW(launch(1, 32, 32, GetParam(), overrun));
  EXPECT_THROW(launch(1, 32, 31, GetParam(), overrun), Failure);
}

// All values, all midpoints between neighbours, and the numbers next to the midpoints.
TEST(CudaEmulationFormatTest, RoundsToTheNearestEven) {
  const auto check = [](const cuda_cases::Format& format, auto from_float, auto to_float) {
    const uint32_t infinity = cuda_cases::encode(format, INFINITY);
    for (uint32_t bits = 0; bits < infinity; ++bits) {
      const auto value = static_cast<float>(cuda_cases::decode(format, bits));
      const auto next = static_cast<float>(cuda_cases::decode(format, bits + 1));
      ASSERT_EQ(from_float(value), bits);
      ASSERT_EQ(to_float(static_cast<uint16_t>(bits)), value);
      ASSERT_EQ(to_float(static_cast<uint16_t>(bits | 0x8000)), -value);
      ASSERT_EQ(from_float(-value), bits | 0x8000);
      if (std::isinf(next)) break;
      const float middle = value + (next - value) / 2;
      ASSERT_EQ(from_float(middle), bits + (bits & 1)) << bits;
      ASSERT_EQ(from_float(std::nextafter(middle, 0.0f)), bits) << bits;
      ASSERT_EQ(from_float(std::nextafter(middle, INFINITY)), bits + 1) << bits;
      ASSERT_EQ(cuda_cases::encode(format, middle), bits + (bits & 1)) << bits;
    }
    EXPECT_EQ(from_float(INFINITY), infinity);
    EXPECT_EQ(from_float(3.4e38f), infinity);
    EXPECT_TRUE(std::isnan(to_float(from_float(NAN))));
  };
  check(
      cuda_cases::kBFloat16, [](float x) { return __float2bfloat16_rn(x).bits; },
      [](uint16_t bits) { return __bfloat162float({bits}); });
  check(
      cuda_cases::kFloat16, [](float x) { return __float2half_rn(x).bits; },
      [](uint16_t bits) { return __half2float({bits}); });
}

}  // namespace
}  // namespace pdl::cuda::emulation
