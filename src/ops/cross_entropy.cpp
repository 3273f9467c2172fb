#include "pdl/ops/cross_entropy.h"

#include <ATen/ops/scalar_tensor.h>
#include <torch/csrc/autograd/custom_function.h>

#include <numeric>
#include <utility>

#include "logits_view.h"
#include "pdl/base/error.h"
#include "pdl/ops/ignore_target.h"

namespace pdl {
namespace {

void check(const at::Tensor& logits, const at::Tensor& targets, const at::Tensor& weights,
           const at::Tensor& weight_sum) {
  const bool fits =
      logits.dim() == 3 && targets.dim() == 2 && weights.dim() == 1 && weight_sum.dim() == 0 &&
      logits.size(0) == targets.size(0) && logits.size(1) == targets.size(1) &&
      logits.size(2) == weights.size(0) && logits.is_floating_point() &&
      targets.scalar_type() == at::kLong && weights.scalar_type() == at::kFloat &&
      weight_sum.scalar_type() == at::kDouble && logits.device() == targets.device() &&
      logits.device() == weights.device() && logits.device() == weight_sum.device();
  if (!fits) {
    throw Error(
        ExitCode::kInternal,
        "weighted_cross_entropy: logits, targets, weights and weight_sum disagree in shape, "
        "dtype or device");
  }
}

// Computes gradient *= factor. The factor of a root of backward() is 1, for which nothing is done;
// on a GPU the host does not wait to find that out.
void scale(const at::Tensor& gradient, const at::Tensor& factor) {
  if (factor.is_cpu() && factor.item<double>() == 1) return;
  if (has_cuda_kernels(gradient)) {
    cuda_scale_rows(view_as_rows(gradient), factor);
  } else {
    gradient.mul_(factor);
  }
}

// The forward has computed the gradient; the backward only passes it on.
class CrossEntropy : public torch::autograd::Function<CrossEntropy> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const at::Tensor& logits, const at::Tensor& targets,
                                                const at::Tensor& weights,
                                                const at::Tensor& weight_sum, bool overwrite) {
    at::Tensor gradient = overwrite ? logits.detach() : at::Tensor();
    at::Tensor rows = overwrite ? view_as_rows(gradient) : at::Tensor();
    if (!rows.defined()) {
      gradient = logits.detach().clone(at::MemoryFormat::Contiguous);
      rows = view_as_rows(gradient);
    }
    const CrossEntropySums sums =
        replace_by_gradient(rows, targets.reshape(-1), weights, weight_sum);
    // Autograd does not see a kernel's writes. If a graph needs the overwritten logits after all,
    // the new version makes that an error.
    if (overwrite) gradient.unsafeGetTensorImpl()->bump_version();
    context->save_for_backward({gradient});
    const at::Tensor loss = sums.weighted_sum.div(weight_sum);
    context->mark_non_differentiable({sums.weighted_sum, sums.ce_sum});
    return {loss, sums.weighted_sum, sums.ce_sum};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const at::Tensor gradient = context->get_saved_variables()[0];
    scale(gradient, gradients[0]);
    return {gradient, {}, {}, {}, {}};
  }
};

}  // namespace

CrossEntropySums replace_by_gradient(const at::Tensor& rows, const at::Tensor& targets,
                                     const at::Tensor& weights, const at::Tensor& weight_sum) {
  if (has_cpu_kernels(rows)) return cpu_cross_entropy_gradient(rows, targets, weights, weight_sum);
  if (has_cuda_kernels(rows)) {
    return cuda_cross_entropy_gradient(rows, targets, weights, weight_sum);
  }
  return reference_cross_entropy_gradient(rows, targets, weights, weight_sum);
}

LossTerms weighted_cross_entropy(at::Tensor logits, const at::Tensor& targets,
                                 const at::Tensor& weights, const at::Tensor& weight_sum) {
  check(logits, targets, weights, weight_sum);
  const bool overwrite = logits.requires_grad() && !logits.is_leaf() && is_sole_owner(logits);
  const torch::autograd::variable_list terms =
      CrossEntropy::apply(std::move(logits), targets, weights, weight_sum, overwrite);
  return {terms[0], terms[1], terms[2]};
}

namespace {

// ATen's sum of many values depends on the number of threads; on the CPU this is in their order.
at::Tensor sum_of(const at::Tensor& values) {
  if (!values.is_cpu()) return values.sum();
  const at::Tensor row = values.contiguous();
  const auto* from = row.const_data_ptr<double>();
  return at::scalar_tensor(std::accumulate(from, from + row.numel(), 0.0), row.options());
}

}  // namespace

TargetWeightSums sum_target_weights(const at::Tensor& targets, const at::Tensor& weights) {
  const at::Tensor flat = targets.reshape(-1);
  const at::Tensor token_weights =
      weights.index_select(0, flat.clamp_min(0)).to(at::kDouble).mul_(flat.ne(kIgnoreTarget));
  return {sum_of(token_weights), sum_of(token_weights.square())};
}

}  // namespace pdl
