// One layer of a decoder, forward and backward.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "branch.h"

namespace pdl {

inline constexpr const char* kFramePhase = "norms and residuals";  // of a profile

// What stands around a branch: x -> scale · drop(after(branch(before(x)))).
struct BranchFrame {
  std::optional<TrainedNorm> before;
  std::optional<TrainedNorm> after;
  double scale = 1;
  double dropout = 0;

  struct State {
    NormStatistics before;
    NormStatistics after;
    at::Tensor unnormalised;  // the input of `after`
    at::Tensor kept;          // by dropout: 0, or 1 / (1 - p)
  };
};

// A layer: attention and feed-forward, one after the other or both from the same x.
class Block {
 public:
  // What backward needs.
  struct State {
    at::Tensor input;   // [B·T, D], of attention
    at::Tensor middle;  // of feed-forward
    BranchFrame::State attention_frame;
    BranchFrame::State feed_forward_frame;
    AttentionLayer::State attention;
    FeedForwardLayer::State feed_forward;
  };

  // Returns the new residual stream [B·T, D] float32 for x.
  at::Tensor forward(const at::Tensor& x, const SequenceContext& context, State& state) const;
  // Adds the gradients of the weights for that of y, and returns that of x.
  at::Tensor backward(const at::Tensor& y_gradient, const SequenceContext& context,
                      State& state) const;

  bool is_trained() const;

  AttentionLayer attention;
  FeedForwardLayer feed_forward;
  BranchFrame attention_frame;
  BranchFrame feed_forward_frame;
  bool is_parallel = false;
};

}  // namespace pdl
