// Elementwise operators of ATen whose bits do not depend on the number of threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace pdl {

// Calls visit(begin, count) for blocks of the rows of x [N, D] that depend on its shape alone, each
// on one thread; on another device than the CPU once for all rows. ATen's exponentials differ in
// the last bit between whole vectors and the rest of a thread's part.
void for_each_row_block(const at::Tensor& x,
                        const std::function<void(int64_t begin, int64_t count)>& visit);

}  // namespace pdl
