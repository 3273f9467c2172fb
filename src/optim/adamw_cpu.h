// The update of AdamW by the kernels of the CPU.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/optim/optimizer.h"

namespace pdl {

// Parameters, and for each its gradient, its moments and the number of its updates, [] float32.
struct AdamWTensors {
  const std::vector<at::Tensor>& parameters;
  const std::vector<at::Tensor>& gradients;
  const std::vector<at::Tensor>& first_moments;
  const std::vector<at::Tensor>& second_moments;
  const std::vector<at::Tensor>& steps;
};

// Whether adamw_on_cpu() can update them: all of it contiguous float32 on the CPU.
bool is_for_cpu_kernel(const AdamWTensors& tensors);

// Updates all of them as at::_fused_adamw_ does, in one pass over all tensors. `steps` already
// counts this update.
void adamw_on_cpu(const AdamWTensors& tensors, double learning_rate, double weight_decay,
                  const OptimizerOptions& options, const at::Tensor& divisor);

}  // namespace pdl
