#include "pdl/loss/weighted_cross_entropy.h"

#include <ATen/core/Reduction.h>
#include <ATen/ops/cross_entropy_loss.h>

#include "pdl/base/error.h"
#include "pdl/data/batch.h"

namespace pdl {
namespace {

// w[y_i] of every position, [N] float64; 0 where the target is ignored.
at::Tensor target_weights(const at::Tensor& flat_targets, const at::Tensor& weights) {
  const at::Tensor is_target = flat_targets.ne(kIgnoreTarget);
  return weights.index_select(0, flat_targets.clamp_min(0)).to(at::kDouble).mul_(is_target);
}

void check(const at::Tensor& logits, const at::Tensor& targets, const at::Tensor& weights) {
  const bool fits = logits.dim() == 3 && targets.dim() == 2 && weights.dim() == 1 &&
                    logits.size(0) == targets.size(0) && logits.size(1) == targets.size(1) &&
                    logits.size(2) == weights.size(0) && logits.is_floating_point() &&
                    targets.scalar_type() == at::kLong && weights.scalar_type() == at::kFloat &&
                    logits.device() == targets.device() && logits.device() == weights.device();
  if (!fits) {
    throw Error(
        ExitCode::kInternal,
        "weighted_cross_entropy: logits, targets and weights disagree in shape, dtype or device");
  }
}

}  // namespace

LossTerms weighted_cross_entropy(const at::Tensor& logits, const at::Tensor& targets,
                                 const at::Tensor& weights) {
  check(logits, targets, weights);
  const at::Tensor flat_targets = targets.reshape(-1);
  const at::Tensor ce =
      at::cross_entropy_loss(logits.reshape({-1, logits.size(2)}).to(at::kFloat), flat_targets,
                             /*weight=*/{}, at::Reduction::None, kIgnoreTarget)
          .to(at::kDouble);
  const at::Tensor token_weights = target_weights(flat_targets, weights);
  LossTerms terms;
  terms.weighted_sum = ce.mul(token_weights).sum();
  terms.weight_sum = token_weights.sum();
  terms.ce_sum = ce.detach().sum();
  terms.num_tokens = flat_targets.ne(kIgnoreTarget).sum();
  return terms;
}

TargetWeightSums sum_target_weights(const at::Tensor& targets, const at::Tensor& weights) {
  const at::Tensor token_weights = target_weights(targets.reshape(-1), weights);
  return {token_weights.sum(), token_weights.square().sum()};
}

}  // namespace pdl
