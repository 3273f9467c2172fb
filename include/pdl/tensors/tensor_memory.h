// The memory of tensors on the CPU.
#pragma once

#include <cstdint>

namespace pdl {

// Takes the memory of all large tensors on the CPU from one MemoryPool from now on, for the whole
// process. A tensor that cannot be had throws c10::OutOfMemoryError.
void pool_tensor_memory();

// What the tensors of that pool take now, and the most that they took at once since
// reset_peak_tensor_bytes(), in bytes.
int64_t tensor_bytes();
int64_t peak_tensor_bytes();
void reset_peak_tensor_bytes();

}  // namespace pdl
