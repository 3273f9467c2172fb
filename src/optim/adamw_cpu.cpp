#include "adamw_cpu.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "pdl/kernels/cpu_kernels.h"

#ifndef _OPENMP
#error "at::parallel_for runs in one thread in a file that is compiled without -fopenmp"
#endif

namespace pdl {
namespace {

// A part of a tensor that one thread updates.
struct Block {
  size_t tensor;
  int64_t begin;
  int64_t size;
};

std::vector<Block> blocks_of(const std::vector<at::Tensor>& tensors) {
  constexpr int64_t kBlockSize = 1 << 15;
  std::vector<Block> blocks;
  for (size_t i = 0; i < tensors.size(); ++i) {
    for (int64_t begin = 0; begin < tensors[i].numel(); begin += kBlockSize)
      blocks.push_back({i, begin, std::min(kBlockSize, tensors[i].numel() - begin)});
  }
  return blocks;
}

AdamWUpdate update_of(const at::Tensor& step, double learning_rate, double weight_decay,
                      const OptimizerOptions& options, const at::Tensor& divisor) {
  const auto count = static_cast<double>(*step.const_data_ptr<float>());
  const double first_correction = 1 - std::pow(options.adam_beta1, count);
  const double second_correction = 1 - std::pow(options.adam_beta2, count);
  return {.divisor = divisor.defined() ? *divisor.const_data_ptr<float>() : 1,
          .first_share = static_cast<float>(1 - options.adam_beta1),
          .second_decay = static_cast<float>(options.adam_beta2),
          .second_share = static_cast<float>(1 - options.adam_beta2),
          .root_divisor = static_cast<float>(std::sqrt(second_correction)),
          .epsilon = static_cast<float>(options.adam_epsilon),
          .decay = static_cast<float>(learning_rate * weight_decay),
          .step_size = static_cast<float>(learning_rate / first_correction)};
}

}  // namespace

bool is_for_cpu_kernel(const AdamWTensors& tensors) {
  for (const auto* list : {&tensors.parameters, &tensors.gradients}) {
    for (const at::Tensor& tensor : *list) {
      if (!tensor.is_cpu() || tensor.scalar_type() != at::kFloat || !tensor.is_contiguous())
        return false;
    }
  }
  return true;
}

void adamw_on_cpu(const AdamWTensors& tensors, double learning_rate, double weight_decay,
                  const OptimizerOptions& options, const at::Tensor& divisor) {
  std::vector<AdamWUpdate> updates;
  for (const at::Tensor& step : tensors.steps)
    updates.push_back(update_of(step, learning_rate, weight_decay, options, divisor));
  const std::vector<Block> blocks = blocks_of(tensors.parameters);
  const auto adamw = cpu_kernels().adamw;
  at::parallel_for(0, std::ssize(blocks), /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    for (auto b = static_cast<size_t>(begin); b < static_cast<size_t>(end); ++b) {
      const auto& [i, offset, size] = blocks[b];
      adamw(updates[i], tensors.gradients[i].const_data_ptr<float>() + offset,
            tensors.parameters[i].mutable_data_ptr<float>() + offset,
            tensors.first_moments[i].mutable_data_ptr<float>() + offset,
            tensors.second_moments[i].mutable_data_ptr<float>() + offset, size);
    }
  });
}

}  // namespace pdl
