#include "pdl/tensors/tensor_memory.h"

#include <ATen/ops/empty.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace pdl {
namespace {

constexpr int64_t kMebibyte = int64_t{1} << 20;

TEST(TensorMemoryTest, CountsLargeTensors) {
  pool_tensor_memory();
  const int64_t before = tensor_bytes();
  const at::Tensor small = at::empty({100}, at::kFloat);
  EXPECT_EQ(tensor_bytes(), before);
  reset_peak_tensor_bytes();
  at::Tensor large = at::empty({kMebibyte}, at::kFloat);
  EXPECT_EQ(tensor_bytes(), before + 4 * kMebibyte);
  large.reset();
  EXPECT_EQ(tensor_bytes(), before);
  EXPECT_EQ(peak_tensor_bytes(), before + 4 * kMebibyte);
}

TEST(TensorMemoryTest, GivesAndTakesRawMemoryOfAnySize) {
  pool_tensor_memory();
  c10::Allocator& allocator = *c10::GetCPUAllocator();
  const int64_t before = tensor_bytes();
  for (const int64_t size : {int64_t{1}, int64_t{65'535}, int64_t{65'536}, 3 * kMebibyte}) {
    void* memory = allocator.raw_allocate(static_cast<size_t>(size));
    std::memset(memory, 1, static_cast<size_t>(size));
    allocator.raw_deallocate(memory);
    EXPECT_EQ(tensor_bytes(), before);
  }
}

TEST(TensorMemoryTest, SaysThatThereIsNoMemory) {
  pool_tensor_memory();
  try {
    at::empty({int64_t{1} << 58}, at::kFloat);
    FAIL();
  } catch (const c10::OutOfMemoryError& problem) {
    EXPECT_NE(std::string(problem.what()).find("can't allocate memory"), std::string::npos);
  }
}

}  // namespace
}  // namespace pdl
