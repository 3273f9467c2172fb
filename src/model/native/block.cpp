#include "block.h"

#include <ATen/ops/empty_like.h>

namespace pdl {
namespace {

// Calls body(h) with the input of the branch.
template <class Body>
at::Tensor branch_forward(const BranchFrame& frame, BranchFrame::State& state, const at::Tensor& x,
                          bool drops, const Body& body) {
  at::Tensor y = body(frame.before ? frame.before->forward(x, state.before) : x);
  if (frame.after) {
    state.unnormalised = y;
    y = frame.after->forward(y, state.after);
  }
  if (drops && frame.dropout > 0) {
    state.kept = at::empty_like(y).bernoulli_(1 - frame.dropout).div_(1 - frame.dropout);
    y.mul_(state.kept);
  }
  return frame.scale == 1 ? y : y.mul_(frame.scale);
}

// Calls body(gradient, h) with the input of the branch, which is computed again. Returns the
// gradient of x through the branch.
template <class Body>
at::Tensor branch_backward(const BranchFrame& frame, const BranchFrame::State& state,
                           const at::Tensor& x, at::Tensor gradient, const Body& body) {
  if (frame.scale != 1) gradient = gradient.mul(frame.scale);
  if (state.kept.defined()) gradient = gradient.mul(state.kept);
  if (frame.after) gradient = frame.after->backward(gradient, state.unnormalised, state.after);
  if (!frame.before) return body(gradient, x);
  NormStatistics ignored;
  const at::Tensor input_gradient = body(gradient, frame.before->forward(x, ignored));
  return frame.before->backward(input_gradient, x, state.before);
}

}  // namespace

at::Tensor Block::forward(const at::Tensor& x, const SequenceContext& context, State& state) const {
  const ProfiledPhase phase(context.profiler, kFramePhase);
  state.input = x;
  const at::Tensor attended = branch_forward(
      attention_frame, state.attention_frame, x, context.drops,
      [&](const at::Tensor& h) { return attention.forward(h, context, state.attention); });
  at::Tensor sum = attended.add_(x);
  state.middle = is_parallel ? x : sum;
  const at::Tensor fed = branch_forward(
      feed_forward_frame, state.feed_forward_frame, state.middle, context.drops,
      [&](const at::Tensor& h) { return feed_forward.forward(h, context, state.feed_forward); });
  return fed.add_(sum);
}

at::Tensor Block::backward(const at::Tensor& y_gradient, const SequenceContext& context,
                           State& state) const {
  const ProfiledPhase phase(context.profiler, kFramePhase);
  const at::Tensor through_feed_forward =
      branch_backward(feed_forward_frame, state.feed_forward_frame, state.middle, y_gradient,
                      [&](const at::Tensor& gradient, const at::Tensor& h) {
                        return feed_forward.backward(gradient, h, context, state.feed_forward);
                      });
  const at::Tensor middle_gradient = y_gradient.add(through_feed_forward);
  const at::Tensor& attended_gradient = is_parallel ? y_gradient : middle_gradient;
  const at::Tensor through_attention =
      branch_backward(attention_frame, state.attention_frame, state.input, attended_gradient,
                      [&](const at::Tensor& gradient, const at::Tensor& h) {
                        return attention.backward(gradient, h, context, state.attention);
                      });
  return middle_gradient.add(through_attention);
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
