// The two branches of a decoder layer, attention and feed-forward, forward and backward. What
// forward keeps for backward is in a state that the caller owns.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <vector>

#include "key_value_cache.h"
#include "linear.h"
#include "parameters.h"
#include "pdl/metrics/profiler.h"
#include "pdl/model/families/decoder_spec.h"
#include "pdl/ops/attention.h"
#include "pdl/ops/norm.h"
#include "pdl/ops/rotary.h"

namespace pdl {

// A norm and where its gradients are added up.
struct TrainedNorm {
  Norm norm;
  Parameter weight;
  Parameter bias;

  at::Tensor forward(const at::Tensor& x, NormStatistics& statistics, bool rounds = false) const {
    return norm_forward(x, norm, statistics, rounds);
  }
  at::Tensor backward(const at::Tensor& y_gradient, const at::Tensor& x,
                      const NormStatistics& statistics, const at::Tensor& added = {}) const {
    return norm_backward(y_gradient, x, norm, statistics, gradient_to_add_to(weight),
                         gradient_to_add_to(bias), added);
  }
  bool is_trained() const { return weight.is_trained() || bias.is_trained(); }
};

// What all layers of one forward share.
struct SequenceContext {
  int64_t batch_size = 0;
  int64_t length = 0;
  bool drops = false;                     // dropout is on
  Profiler* profiler = nullptr;           // null: no profile
  at::Tensor positions = {};              // [B or 1, T] int64, in their documents
  std::vector<RotaryAngles> angles = {};  // of DecoderSpec::rotary
  std::map<int64_t, SeenKeys> seen = {};  // by window
  KeyValueCache* cache = nullptr;         // of sequences that are begun or continued
  bool decodes = false;                   // x has the next token of each sequence

  Linear::Mode mode(bool rounds) const {
    return {.drops = drops, .rounds = rounds && !decodes, .decodes = decodes};
  }
};

// Attention with its projections, for rows x [B·T, D] float32 or, if takes_bfloat16(), bfloat16.
// The gradient of x has its dtype.
class AttentionLayer {
 public:
  // What backward needs.
  struct State {
    at::Tensor unnormalised;  // queries, keys and values before their norm, if there is one
    at::Tensor unclipped;     // which of them clip_qkv has left alone
    NormStatistics query_statistics;
    NormStatistics key_statistics;
    Attention attention;
    at::Tensor heads;  // [B·T, H·D], what attention gives
    Linear::State qkv;
    Linear::State output;
  };

  at::Tensor forward(const at::Tensor& x, const SequenceContext& context, State& state) const;
  at::Tensor backward(const at::Tensor& y_gradient, const at::Tensor& x,
                      const SequenceContext& context, State& state) const;

  bool takes_bfloat16() const { return qkv.can_round(); }

  Linear qkv;
  Linear output;
  TrainedNorm query_norm;
  TrainedNorm key_norm;
  const DecoderSpec* spec = nullptr;
  LayerSpec layer;
  int64_t index = 0;  // of the layer, in a cache
  ProductPrecision precision = ProductPrecision::kFloat32;

 private:
  struct Split {
    at::Tensor q, k, v;  // views [B, T, heads, D]
  };
  AttentionOptions options(const SequenceContext& context) const;
  // Queries, keys and values, and all gradients between the products, are bfloat16.
  bool rounds(const at::Device& device, const AttentionOptions& options) const;
  Split split(const at::Tensor& rows, const SequenceContext& context) const;
  at::Tensor attend(const Split& heads, const SequenceContext& context, State& state) const;
  at::Tensor rows_of_norm(const at::Tensor& heads) const;
  at::Tensor normalise(const at::Tensor& rows, const SequenceContext& context, State& state) const;
  void normalise_back(const at::Tensor& gradient, const SequenceContext& context,
                      const State& state) const;
};

// down(f(gate(x)) · up(x)), or down(f(up(x))), for x as AttentionLayer has it.
class FeedForwardLayer {
 public:
  struct State {
    at::Tensor inner;  // what gate and up give, [B·T, 2·I] or [B·T, I], float32 or bfloat16
    Linear::State up;
    Linear::State down;
  };

  at::Tensor forward(const at::Tensor& x, const SequenceContext& context, State& state) const;
  at::Tensor backward(const at::Tensor& y_gradient, const at::Tensor& x,
                      const SequenceContext& context, State& state) const;

  bool takes_bfloat16() const { return up.can_round(); }

  Linear up;  // gate and up, one below the other, if `gated`
  Linear down;
  bool gated = true;
  Activation activation = Activation::kSilu;

 private:
  // What lies between the two products is rounded to bfloat16.
  bool rounds() const { return up.can_round() && down.can_round(); }
};

}  // namespace pdl
