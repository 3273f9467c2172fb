#include "pdl/trainer/forward_backward.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include <utility>

#include "pdl/model/logits_chunks.h"
#include "pdl/ops/cross_entropy.h"

namespace pdl {
namespace {

LossSums at_once(LanguageModel& model, const Batch& batch, const at::Tensor& weights,
                 const at::Tensor& weight_sum, Profiler* profiler) {
  ProfiledPhase phase(profiler, "forward");
  at::Tensor logits = model.forward(batch.input_ids);
  phase.next("loss");
  const LossTerms terms =
      weighted_cross_entropy(std::move(logits), batch.targets, weights, weight_sum);
  phase.next("backward");
  backward_through(model, terms.loss);
  return {terms.weighted_sum, terms.ce_sum};
}

LossSums in_chunks(LanguageModel& model, const Batch& batch, const at::Tensor& weights,
                   const at::Tensor& weight_sum, const ForwardBackwardOptions& options) {
  LossSums sums{at::zeros_like(weight_sum), at::zeros_like(weight_sum)};
  const int64_t num_positions = batch.targets.numel();
  const at::Tensor targets = batch.targets.reshape({1, num_positions});
  ProfiledPhase phase(options.profiler, "forward");
  const at::Tensor hidden = model.hidden(batch.input_ids);
  phase.next("head and loss");
  const at::Tensor positions = hidden.detach().reshape({1, num_positions, -1});
  const at::Tensor gradient = at::empty_like(positions);
  for_each_trained_logits_chunk(
      model, positions, options.chunk_positions, gradient, [&](at::Tensor logits, int64_t begin) {
        const at::Tensor chunk_targets = targets.narrow(1, begin, logits.size(1));
        const LossTerms terms =
            weighted_cross_entropy(std::move(logits), chunk_targets, weights, weight_sum);
        backward_through(model, terms.loss);
        sums.weighted_sum.add_(terms.weighted_sum);
        sums.ce_sum.add_(terms.ce_sum);
      });
  if (!hidden.requires_grad()) return sums;  // all but the head is frozen
  phase.next("backward");
  backward_through(model, hidden, gradient.reshape(hidden.sizes()));
  return sums;
}

}  // namespace

LossSums forward_backward(LanguageModel& model, const Batch& batch, const at::Tensor& weights,
                          const at::Tensor& weight_sum, const ForwardBackwardOptions& options) {
  if (options.chunk_positions > 0) return in_chunks(model, batch, weights, weight_sum, options);
  return at_once(model, batch, weights, weight_sum, options.profiler);
}

}  // namespace pdl
