#include "pdl/optim/gradient_clipping.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "pdl/kernels/cpu_kernels.h"

#ifndef _OPENMP
#error "at::parallel_for runs in one thread in a file that is compiled without -fopenmp"
#endif

namespace pdl {
namespace {

struct Block {
  const float* values;
  int64_t size;
};

// Contiguous float32 tensors in blocks that begin at multiples of a fixed size.
std::vector<Block> blocks_of(const std::vector<at::Tensor>& gradients) {
  constexpr int64_t kBlockSize = 1 << 16;
  std::vector<Block> blocks;
  for (const at::Tensor& gradient : gradients) {
    const auto* values = gradient.const_data_ptr<float>();
    for (int64_t begin = 0; begin < gradient.numel(); begin += kBlockSize) {
      blocks.push_back({values + begin, std::min(kBlockSize, gradient.numel() - begin)});
    }
  }
  return blocks;
}

double cpu_square_sum(const std::vector<at::Tensor>& gradients) {
  const std::vector<Block> blocks = blocks_of(gradients);
  std::vector<double> sums(blocks.size());
  const auto sum_of_squares = cpu_kernels().sum_of_squares;
  at::parallel_for(0, std::ssize(blocks), /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      sums[i] = sum_of_squares(blocks[i].values, blocks[i].size);
    }
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

at::Tensor gradient_square_sum(const std::vector<at::Tensor>& gradients, at::Device device) {
  const at::NoGradGuard no_grad;
  if (gradients.empty()) return at::zeros({}, at::dtype(at::kDouble).device(device));
  const bool has_kernel =
      std::all_of(gradients.begin(), gradients.end(), [](const at::Tensor& gradient) {
        return gradient.is_cpu() && gradient.scalar_type() == at::kFloat &&
               gradient.is_non_overlapping_and_dense();
      });
  if (has_kernel) return at::scalar_tensor(cpu_square_sum(gradients), at::dtype(at::kDouble));
  return at::stack(at::_foreach_norm(gradients, 2, at::kDouble)).square().sum();
}

at::Tensor gradient_norm(const at::Tensor& square_sum) {
  if (!square_sum.is_cpu()) return square_sum.sqrt();
  // ATen's square root comes from MKL and may be wrong in the last bit.
  return at::scalar_tensor(std::sqrt(square_sum.item<double>()), at::dtype(at::kDouble));
}

at::Tensor clipping_divisor(const at::Tensor& norm, double max_norm) {
  return norm.add(1e-6).div_(max_norm).clamp_min_(1).to(at::kFloat);
}

}  // namespace pdl
