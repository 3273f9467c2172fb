#include "branch.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <utility>

#include "pdl/ops/activation.h"

namespace pdl {

AttentionLayer::Split AttentionLayer::split(const at::Tensor& rows,
                                            const SequenceContext& context) const {
  const int64_t heads = spec->num_heads;
  const int64_t kv_heads = spec->num_kv_heads;
  if (spec->qkv_layout == QkvLayout::kPerHead) {
    const at::Tensor all =
        rows.view({context.batch_size, context.length, heads, 3, spec->head_dim});
    return {all.select(3, 0), all.select(3, 1), all.select(3, 2)};
  }
  const at::Tensor all =
      rows.view({context.batch_size, context.length, heads + 2 * kv_heads, spec->head_dim});
  return {all.narrow(2, 0, heads), all.narrow(2, heads, kv_heads),
          all.narrow(2, heads + kv_heads, kv_heads)};
}

// Heads [B, T, H, D] as the rows over which their norm goes.
at::Tensor AttentionLayer::rows_of_norm(const at::Tensor& heads) const {
  const bool is_whole = spec->query_key_norm == QueryKeyNorm::kWhole;
  return heads.reshape({-1, is_whole ? heads.size(2) * heads.size(3) : heads.size(3)});
}

at::Tensor AttentionLayer::normalise(const at::Tensor& rows, const SequenceContext& context,
                                     State& state) const {
  state.unnormalised = rows;
  at::Tensor result = at::empty_like(rows);
  const Split from = split(rows, context);
  const Split to = split(result, context);
  to.q.copy_(query_norm.forward(rows_of_norm(from.q), state.query_statistics).view(to.q.sizes()));
  to.k.copy_(key_norm.forward(rows_of_norm(from.k), state.key_statistics).view(to.k.sizes()));
  to.v.copy_(from.v);
  return result;
}

void AttentionLayer::normalise_back(const at::Tensor& gradient, const SequenceContext& context,
                                    const State& state) const {
  const Split inputs = split(state.unnormalised, context);
  const Split gradients = split(gradient, context);
  const auto go_back = [this](const TrainedNorm& norm, const at::Tensor& y_gradient,
                              const at::Tensor& x, const NormStatistics& statistics) {
    y_gradient.copy_(norm.backward(rows_of_norm(y_gradient), rows_of_norm(x), statistics)
                         .view(y_gradient.sizes()));
  };
  go_back(query_norm, gradients.q, inputs.q, state.query_statistics);
  go_back(key_norm, gradients.k, inputs.k, state.key_statistics);
}

AttentionOptions AttentionLayer::options(const SequenceContext& context) const {
  return {.scale = spec->attention_scale,
          .softcap = spec->attention_softcap,
          .dropout = context.drops ? spec->dropout.attention : 0,
          .precision = precision};
}

bool AttentionLayer::rounds(const at::Device& device, const AttentionOptions& options) const {
  return qkv.can_round() && output.can_round() && spec->query_key_norm == QueryKeyNorm::kNone &&
         spec->clip_qkv == 0 && attends_in_bfloat16(device, options);
}

at::Tensor AttentionLayer::attend(const Split& heads, const SequenceContext& context,
                                  State& state) const {
  const AttentionOptions chosen = options(context);
  if (context.decodes) {
    return context.cache->attend(index, heads.q.select(1, 0), heads.k.select(1, 0),
                                 heads.v.select(1, 0), layer.window, chosen);
  }
  if (context.cache != nullptr) context.cache->start(index, heads.k, heads.v);
  return state.attention.forward(heads.q, heads.k, heads.v, context.seen.at(layer.window), chosen);
}

at::Tensor AttentionLayer::forward(const at::Tensor& x, const SequenceContext& context,
                                   State& state) const {
  ProfiledPhase phase(context.profiler, "attention: products");
  const bool is_rounded = rounds(x.device(), options(context));
  at::Tensor rows = qkv.forward(x, context.mode(is_rounded), state.qkv);
  phase.next("attention: positions");
  if (spec->clip_qkv > 0) {
    state.unclipped = rows.abs().le(spec->clip_qkv);
    rows.clamp_(-spec->clip_qkv, spec->clip_qkv);
  }
  if (spec->query_key_norm != QueryKeyNorm::kNone) rows = normalise(rows, context, state);
  const Split heads = split(rows, context);
  if (layer.rotary != LayerSpec::kNoRotary) {
    const RotaryAngles& angles = context.angles[static_cast<size_t>(layer.rotary)];
    rotate(heads.q, angles);
    rotate(heads.k, angles);
  }
  phase.next("attention");
  const at::Tensor result = attend(heads, context, state);
  phase.next("attention: products");
  state.heads = result.reshape({x.size(0), spec->num_heads * spec->head_dim});
  return output.forward(state.heads, context.mode(/*rounds=*/false), state.output);
}

at::Tensor AttentionLayer::backward(const at::Tensor& y_gradient, const at::Tensor& x,
                                    const SequenceContext& context, State& state) const {
  ProfiledPhase phase(context.profiler, "attention: products");
  output.add_gradients(y_gradient, state.heads, state.output);
  const at::Tensor heads_gradient =
      output.input_gradient(y_gradient, state.output, rounds(x.device(), options(context)));
  const int64_t width = (spec->num_heads + 2 * spec->num_kv_heads) * spec->head_dim;
  const at::Tensor gradient = at::empty({x.size(0), width}, heads_gradient.options());
  const Split to = split(gradient, context);
  phase.next("attention");
  state.attention.backward(
      heads_gradient.view({context.batch_size, context.length, spec->num_heads, spec->head_dim}),
      {to.q, to.k, to.v});
  phase.next("attention: positions");
  if (layer.rotary != LayerSpec::kNoRotary) {
    const RotaryAngles& angles = context.angles[static_cast<size_t>(layer.rotary)];
    rotate_back(to.q, angles);
    rotate_back(to.k, angles);
  }
  if (spec->query_key_norm != QueryKeyNorm::kNone) normalise_back(gradient, context, state);
  if (spec->clip_qkv > 0) gradient.mul_(state.unclipped);
  phase.next("attention: products");
  return qkv.backward(gradient, x, state.qkv);
}

at::Tensor FeedForwardLayer::forward(const at::Tensor& x, const SequenceContext& context,
                                     State& state) const {
  ProfiledPhase phase(context.profiler, "feed-forward: products");
  state.inner = up.forward(x, context.mode(rounds()), state.up);
  phase.next("activation");
  const at::Tensor activated = activation_forward(state.inner, activation, gated);
  phase.next("feed-forward: products");
  return down.forward(activated, context.mode(/*rounds=*/false), state.down);
}

at::Tensor FeedForwardLayer::backward(const at::Tensor& y_gradient, const at::Tensor& x,
                                      const SequenceContext& context, State& state) const {
  ProfiledPhase phase(context.profiler, "feed-forward: products");
  const at::Tensor inner = std::exchange(state.inner, {});
  const at::Tensor activated = down.input_gradient(y_gradient, state.down, rounds());
  phase.next("activation");
  activation_backward(inner, activated, activation, gated);
  phase.next("feed-forward: products");
  down.add_gradients(y_gradient, activated, state.down);
  return up.backward(inner, x, state.up);
}

}  // namespace pdl
