// Blocks of rows for operators whose bits do not depend on the number of threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace pdl {

// The rows of a block of x [N, D], which depend on D alone, and the number of blocks.
int64_t rows_per_block(const at::Tensor& x);
int64_t num_row_blocks(const at::Tensor& x);

// Calls visit(begin, count) for each block of the rows of x [N, D], on one thread; on another
// device than the CPU once for all rows. ATen's exponentials differ in the last bit between whole
// vectors and the rest of a thread's part.
void for_each_row_block(const at::Tensor& x,
                        const std::function<void(int64_t begin, int64_t count)>& visit);

}  // namespace pdl
