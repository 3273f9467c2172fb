#include "pdl/model/torch_error.h"

#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <string>

namespace pdl {
namespace {

TEST(TorchErrorTest, KnowsLackOfMemoryByTypeAndByText) {
  EXPECT_TRUE(is_out_of_memory(std::bad_alloc()));
  for (const std::string text : {
           "RuntimeError: [enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't "
           "allocate memory: you tried",
           "The following operation failed in the TorchScript interpreter.\nRuntimeError: CUDA out "
           "of memory. Tried to",
           "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
           "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
       }) {
    EXPECT_TRUE(is_out_of_memory(std::runtime_error(text))) << text;
  }
  EXPECT_FALSE(
      is_out_of_memory(std::runtime_error("CUDA error: an illegal memory access was encountered")));
}

}  // namespace
}  // namespace pdl
