#include "block.h"

#include <ATen/ops/empty_like.h>

namespace pdl {
namespace {

// Calls branch.forward() with its input h, which is rounded where the branch rounds it in any case.
template <class Branch>
at::Tensor branch_forward(const Branch& branch, const BranchFrame& frame, const at::Tensor& x,
                          const SequenceContext& context, BranchFrame::State& state,
                          typename Branch::State& branch_state) {
  const bool rounds = branch.takes_bfloat16() && !context.decodes;
  const at::Tensor h = frame.before ? frame.before->forward(x, state.before, rounds) : x;
  at::Tensor y = branch.forward(h, context, branch_state);
  if (frame.after) {
    state.unnormalised = y;
    y = frame.after->forward(y, state.after);
  }
  if (context.drops && frame.dropout > 0) {
    state.kept = at::empty_like(y).bernoulli_(1 - frame.dropout).div_(1 - frame.dropout);
    y.mul_(state.kept);
  }
  return frame.scale == 1 ? y : y.mul_(frame.scale);
}

// Calls branch.backward() with its input, which is computed again. Returns the gradient of x
// through the branch, plus `added`.
template <class Branch>
at::Tensor branch_backward(const Branch& branch, const BranchFrame& frame, const at::Tensor& x,
                           at::Tensor gradient, const SequenceContext& context,
                           const BranchFrame::State& state, typename Branch::State& branch_state,
                           const at::Tensor& added) {
  if (frame.scale != 1) gradient = gradient.mul(frame.scale);
  if (state.kept.defined()) gradient = gradient.mul(state.kept);
  if (frame.after) gradient = frame.after->backward(gradient, state.unnormalised, state.after);
  if (!frame.before) return branch.backward(gradient, x, context, branch_state).add_(added);
  NormStatistics ignored;
  const at::Tensor h = frame.before->forward(x, ignored, branch.takes_bfloat16());
  const at::Tensor h_gradient = branch.backward(gradient, h, context, branch_state);
  return frame.before->backward(h_gradient, x, state.before, added);
}

}  // namespace

at::Tensor Block::forward(const at::Tensor& x, const SequenceContext& context, State& state) const {
  const ProfiledPhase phase(context.profiler, kFramePhase);
  state.input = x;
  const at::Tensor attended = branch_forward(attention, attention_frame, x, context,
                                             state.attention_frame, state.attention);
  at::Tensor sum = attended.add_(x);
  state.middle = is_parallel ? x : sum;
  const at::Tensor fed = branch_forward(feed_forward, feed_forward_frame, state.middle, context,
                                        state.feed_forward_frame, state.feed_forward);
  return fed.add_(sum);
}

at::Tensor Block::backward(const at::Tensor& y_gradient, const SequenceContext& context,
                           State& state) const {
  const ProfiledPhase phase(context.profiler, kFramePhase);
  const at::Tensor middle_gradient =
      branch_backward(feed_forward, feed_forward_frame, state.middle, y_gradient, context,
                      state.feed_forward_frame, state.feed_forward, y_gradient);
  const at::Tensor& attended_gradient = is_parallel ? y_gradient : middle_gradient;
  return branch_backward(attention, attention_frame, state.input, attended_gradient, context,
                         state.attention_frame, state.attention, middle_gradient);
}

bool Block::is_trained() const {
  const auto trains = [](const BranchFrame& frame) {
    return (frame.before && frame.before->is_trained()) ||
           (frame.after && frame.after->is_trained());
  };
  return trains(attention_frame) || trains(feed_forward_frame) || attention.qkv.is_trained() ||
         attention.output.is_trained() || attention.query_norm.is_trained() ||
         attention.key_norm.is_trained() || feed_forward.up.is_trained() ||
         feed_forward.down.is_trained();
}

}  // namespace pdl
