// Clips by global norm, as torch.nn.utils.clip_grad_norm_ does, but without another pass over the
// gradients: the optimiser divides them by the divisor computed here.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace pdl {

// Returns Σ g² over all gradients, [] float64 on `device`, where they are; 0 for none. Ranks can
// add square sums up, unlike norms. On the CPU squares and sums are float64, over fixed blocks, so
// that the bits do not depend on the number of threads. No temporary copy of a gradient is made.
at::Tensor gradient_square_sum(const std::vector<at::Tensor>& gradients, at::Device device);

// Returns the norm, which is the root of a square sum, [] float64.
at::Tensor gradient_norm(const at::Tensor& square_sum);

// Returns max(1, (norm + 1e-6) / max_norm), [] float32, by which gradients of that norm are to be
// divided.
at::Tensor clipping_divisor(const at::Tensor& norm, double max_norm);

}  // namespace pdl
