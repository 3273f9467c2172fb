// Clipping by global norm, as torch.nn.utils.clip_grad_norm_, without a pass of its own: the
// optimiser divides by what clipping asks for.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace pdl {

// [] float64 on `device`, where the gradients are: Σ g² over all of them, which ranks can add up,
// unlike norms; 0 for none. On the CPU squares and sums are float64, over fixed blocks, so that
// threads change no bit; no temporary is made of any gradient.
at::Tensor gradient_square_sum(const std::vector<at::Tensor>& gradients, at::Device device);

// The norm: the root of a square sum, [] float64.
at::Tensor gradient_norm(const at::Tensor& square_sum);

// [] float32: max(1, (norm + 1e-6) / max_norm), by which gradients of that norm are to be divided.
at::Tensor clipping_divisor(const at::Tensor& norm, double max_norm);

}  // namespace pdl
