#include "pdl/optim/gradient_clipping.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/stack.h>

namespace pdl {

double gradient_norm(const std::vector<at::Tensor>& gradients) {
  if (gradients.empty()) return 0.0;
  const at::NoGradGuard no_grad;
  const at::Tensor norms = at::stack(at::_foreach_norm(gradients, 2)).to(at::kDouble);
  return norms.square().sum().sqrt().item<double>();
}

void clip_gradients(const std::vector<at::Tensor>& gradients, double norm, double max_norm) {
  const double factor = max_norm / (norm + 1e-6);
  if (factor >= 1.0 || gradients.empty()) return;
  const at::NoGradGuard no_grad;
  at::_foreach_mul_(gradients, factor);
}

}  // namespace pdl
