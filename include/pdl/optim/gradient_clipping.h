// Clipping by global norm, as torch.nn.utils.clip_grad_norm_.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace pdl {

// The Euclidean norm of all gradients together; the norms of the tensors are added in float64. 0
// for none.
double gradient_norm(const std::vector<at::Tensor>& gradients);

// Multiplies the gradients by min(1, max_norm / (norm + 1e-6)), where `norm` is theirs.
void clip_gradients(const std::vector<at::Tensor>& gradients, double norm, double max_norm);

}  // namespace pdl
