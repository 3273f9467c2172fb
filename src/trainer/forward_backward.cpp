#include "pdl/trainer/forward_backward.h"

#include <ATen/ops/zeros_like.h>

#include <utility>

#include "pdl/model/logits_chunks.h"
#include "pdl/ops/cross_entropy.h"

namespace pdl {
namespace {

LossSums at_once(LanguageModel& model, const Batch& batch, const at::Tensor& weights,
                 const at::Tensor& weight_sum, Profiler* profiler) {
  ProfiledPhase phase(profiler, "forward");
  at::Tensor logits = model.forward({batch.input_ids, batch.document_starts});
  phase.next("loss");
  const LossTerms terms =
      weighted_cross_entropy(std::move(logits), batch.targets, weights, weight_sum);
  phase.next("backward");
  backward_through(model, terms.loss);
  return {terms.weighted_sum, terms.ce_sum};
}

// The gradient of all positions [B, T, D], and the sums of their losses.
struct HeadResult {
  at::Tensor gradient;
  CrossEntropySums sums;
};

// Computes the positions with a target alone.
HeadResult head_and_loss(LanguageModel& model, const at::Tensor& hidden, const Batch& batch,
                         const at::Tensor& weights, const at::Tensor& weight_sum,
                         int64_t chunk_positions) {
  const at::Tensor positions = at_target_positions(batch, hidden);
  const at::Tensor targets = at_target_positions(batch, batch.targets);
  const CrossEntropySums sums =
      head_gradient_in_chunks(model, positions, chunk_positions, {targets, weights, weight_sum},
                              /*hidden_gradient=*/positions);
  const at::Tensor all = at::zeros_like(hidden, at::MemoryFormat::Contiguous);
  all.view({-1, hidden.size(-1)}).index_copy_(0, batch.target_positions, positions.squeeze(0));
  return {all, sums};
}

LossSums by_halves(LanguageModel& model, const Batch& batch, const at::Tensor& weights,
                   const at::Tensor& weight_sum, const ForwardBackwardOptions& options) {
  ProfiledPhase phase(options.profiler, "forward");
  const at::Tensor hidden = model.hidden({batch.input_ids, batch.document_starts});
  phase.next("head and loss");
  const auto& [gradient, sums] =
      head_and_loss(model, hidden.detach(), batch, weights, weight_sum, options.chunk_positions);
  phase.next("backward");
  model.backward(hidden, gradient);
  return {sums.weighted_sum, sums.ce_sum};
}

}  // namespace

LossSums forward_backward(LanguageModel& model, const Batch& batch, const at::Tensor& weights,
                          const at::Tensor& weight_sum, const ForwardBackwardOptions& options) {
  // A program's forward is called as it is unless there is a reason not to.
  if (options.chunk_positions > 0 || !model.info().is_program)
    return by_halves(model, batch, weights, weight_sum, options);
  return at_once(model, batch, weights, weight_sum, options.profiler);
}

}  // namespace pdl
