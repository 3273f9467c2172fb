// Compares what several numbers of threads compute.
#pragma once

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace pdl {

// Expects compute(), which returns a tensor, to give the same bits with any number of threads.
template <class Compute>
void expect_same_bits_with_any_threads(const Compute& compute) {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = compute();
  for (const int threads : {2, 3, 4, 8}) {
    at::set_num_threads(threads);
    EXPECT_TRUE(at::equal(compute(), one)) << threads << " threads";
  }
  at::set_num_threads(before);
}

}  // namespace pdl
