#include "decoder.h"

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/tensor.h>

#include <mutex>
#include <set>
#include <utility>

#include "pdl/ops/activation.h"
#include "pdl/ops/column_sums.h"
#include "pdl/ops/cross_entropy.h"

namespace pdl {
namespace {

constexpr const char* kEmbeddingPhase = "embedding";
constexpr const char* kHeadPhase = "head: products";

std::vector<std::string> with_ending(const std::vector<std::string>& names,
                                     const std::string& ending) {
  std::vector<std::string> full;
  for (const std::string& name : names) full.push_back(name + ending);
  return full;
}

// Norms are computed in float32; a weight below adapters may have fewer digits.
at::Tensor as_float32(const at::Tensor& weight) {
  return weight.defined() ? weight.to(at::kFloat) : weight;
}

at::Tensor generator_state(at::Device device) {
  at::Generator generator = at::globalContext().defaultGenerator(device);
  const std::lock_guard lock(generator.mutex());
  return generator.get_state();
}

void set_generator_state(at::Device device, const at::Tensor& state) {
  at::Generator generator = at::globalContext().defaultGenerator(device);
  const std::lock_guard lock(generator.mutex());
  generator.set_state(state);
}

}  // namespace

Decoder::Decoder(const DecoderSpec& spec, const DecoderWeights& weights, bool ties_head,
                 const DecoderOptions& options)
    : spec_(spec), options_(options) {
  const ParameterNames& names = spec_.names;
  embedding_ = weights.find({names.prefix + names.embedding + ".weight"});
  if (spec_.learned_positions)
    positions_ = weights.find({names.prefix + names.positions + ".weight"});
  for (int64_t i = 0; i < std::ssize(spec_.layers); ++i) blocks_.push_back(make_block(i, weights));
  final_norm_ = make_norm(weights, names.prefix + names.final_norm);
  const Parameter head_bias = weights.find({names.head + ".bias"});
  head_ = Linear(ties_head ? embedding_ : weights.find({names.head + ".weight"}), head_bias,
                 /*transposed=*/false, options_.precision);
  const LoraParameters adapter = weights.adapters().find(names.head);
  if (adapter.a.value.defined()) head_.attach({adapter, 0, spec_.vocab_size});
  for (const RotarySpec& rotary : spec_.rotary)
    frequencies_.push_back(rotary_frequencies(rotary, embedding_.value.device()));
  if (!embedding_.is_trained() && !positions_.is_trained()) {
    while (first_trained_block_ < blocks_.size() && !blocks_[first_trained_block_].is_trained())
      ++first_trained_block_;
  }
}

TrainedNorm Decoder::make_norm(const DecoderWeights& weights, const std::string& name) const {
  TrainedNorm norm;
  norm.weight = weights.find({name + ".weight"});
  norm.bias = weights.find({name + ".bias"});
  norm.norm = {.kind = spec_.norm,
               .eps = spec_.norm_eps,
               .one_plus_weight = spec_.norm_one_plus_weight,
               .weight = as_float32(norm.weight.value),
               .bias = as_float32(norm.bias.value)};
  return norm;
}

Linear Decoder::make_linear(const DecoderWeights& weights,
                            const std::vector<std::string>& names) const {
  Linear linear(weights.find(with_ending(names, ".weight")),
                weights.find(with_ending(names, ".bias")), spec_.transposed, options_.precision);
  int64_t begin = 0;
  for (const std::string& name : names) {
    const LoraParameters adapter = weights.adapters().find(name);
    const Parameter weight = weights.find({name + ".weight"});
    const int64_t size = weight.value.size(spec_.transposed ? 1 : 0);
    if (adapter.a.value.defined()) linear.attach({adapter, begin, size});
    begin += size;
  }
  return linear;
}

Block Decoder::make_block(int64_t index, const DecoderWeights& weights) const {
  const ParameterNames& names = spec_.names;
  const auto full = [&](const std::string& name) { return layer_name(spec_, index, name); };
  Block block;
  AttentionLayer& attention = block.attention;
  attention.spec = &spec_;
  attention.layer = spec_.layers[static_cast<size_t>(index)];
  attention.index = index;
  attention.precision = options_.precision;
  attention.qkv =
      spec_.qkv_layout == QkvLayout::kSeparate
          ? make_linear(weights, {full(names.query), full(names.key), full(names.value)})
          : make_linear(weights, {full(names.qkv)});
  attention.output = make_linear(weights, {full(names.attention_output)});
  if (spec_.query_key_norm != QueryKeyNorm::kNone) {
    attention.query_norm = make_norm(weights, full(names.query_norm));
    attention.key_norm = make_norm(weights, full(names.key_norm));
  }
  FeedForwardLayer& feed_forward = block.feed_forward;
  feed_forward.gated = spec_.gated;
  feed_forward.activation = spec_.activation;
  if (!spec_.gated) {
    feed_forward.up = make_linear(weights, {full(names.up)});
  } else if (spec_.joined_gate_up) {
    feed_forward.up = make_linear(weights, {full(names.gate_up)});
  } else {
    feed_forward.up = make_linear(weights, {full(names.gate), full(names.up)});
  }
  feed_forward.down = make_linear(weights, {full(names.down)});

  const bool is_sandwich = spec_.block == BlockOrder::kSandwich;
  if (spec_.block != BlockOrder::kPost) {
    const bool shares_norm = spec_.block == BlockOrder::kParallelOneNorm;
    block.attention_frame.before = make_norm(weights, full(names.attention_norm));
    block.feed_forward_frame.before =
        make_norm(weights, full(shares_norm ? names.attention_norm : names.feed_forward_norm));
  }
  if (spec_.block == BlockOrder::kPost || is_sandwich) {
    block.attention_frame.after = make_norm(weights, full(names.attention_output_norm));
    block.feed_forward_frame.after = make_norm(weights, full(names.feed_forward_output_norm));
  }
  block.attention_frame.scale = spec_.residual_scale;
  block.feed_forward_frame.scale = spec_.residual_scale;
  block.attention_frame.dropout = spec_.dropout.attention_output;
  block.feed_forward_frame.dropout = spec_.dropout.feed_forward_output;
  block.is_parallel =
      spec_.block == BlockOrder::kParallelOneNorm || spec_.block == BlockOrder::kParallelTwoNorms;
  return block;
}

std::vector<RotaryAngles> Decoder::angles_of(const at::Tensor& positions) const {
  std::vector<RotaryAngles> angles;
  for (size_t i = 0; i < frequencies_.size(); ++i)
    angles.push_back(rotary_angles(positions, frequencies_[i], spec_.rotary[i].interleaved));
  return angles;
}

SequenceContext Decoder::make_context(const ModelInput& input, bool drops) const {
  SequenceContext context{.batch_size = input.ids.size(0),
                          .length = input.ids.size(1),
                          .drops = drops,
                          .profiler = profiler_};
  at::Tensor positions =
      at::arange(context.length, at::dtype(at::kLong).device(input.ids.device())).unsqueeze(0);
  if (input.document_starts.defined()) positions = positions.sub(input.document_starts);
  context.angles = angles_of(positions);
  for (const LayerSpec& layer : spec_.layers) {
    if (context.seen.contains(layer.window)) continue;
    context.seen[layer.window] =
        seen_keys(context.length, layer.window, input.document_starts, input.ids.device());
  }
  context.positions = positions;
  return context;
}

SequenceContext Decoder::make_decoding_context(KeyValueCache& cache, at::Device device) const {
  const std::vector<int64_t>& lengths = cache.lengths();
  SequenceContext context{.batch_size = std::ssize(lengths),
                          .length = 1,
                          .profiler = profiler_,
                          .cache = &cache,
                          .decodes = true};
  context.positions = at::tensor(lengths, at::kLong).to(device).unsqueeze(1);
  context.angles = angles_of(context.positions);
  return context;
}

at::Tensor Decoder::embed(const at::Tensor& ids) {
  const ProfiledPhase phase(profiler_, kEmbeddingPhase);
  ids_ = ids.reshape(-1);
  at::Tensor x = embedding_.value.index_select(0, ids_).to(at::kFloat);
  if (spec_.embedding_scale != 1) x.mul_(spec_.embedding_scale);
  if (spec_.learned_positions) {
    position_ids_ = context_.positions.expand_as(ids).reshape(-1);
    x.add_(positions_.value.index_select(0, position_ids_));
  }
  embedding_kept_.reset();
  if (context_.drops && spec_.dropout.embedding > 0) {
    const double keep = 1 - spec_.dropout.embedding;
    embedding_kept_ = at::empty_like(x).bernoulli_(keep).div_(keep);
    x.mul_(embedding_kept_);
  }
  return x;
}

at::Tensor Decoder::block_forward(size_t index, const at::Tensor& x, bool keeps) {
  if (!keeps || index < first_trained_block_) {
    const at::NoGradGuard no_grad;
    Block::State state;
    return blocks_[index].forward(x, context_, state);
  }
  KeptBlock& kept = kept_[index];
  if (!options_.checkpoints_gradients) return blocks_[index].forward(x, context_, kept.state);
  kept.input = x;
  if (context_.drops) kept.generator_state = generator_state(x.device());
  const at::NoGradGuard no_grad;
  Block::State state;
  return blocks_[index].forward(x, context_, state);
}

at::Tensor Decoder::block_backward(size_t index, const at::Tensor& gradient) {
  KeptBlock kept = std::exchange(kept_[index], {});
  if (kept.input.defined()) {
    if (kept.generator_state.defined())
      set_generator_state(gradient.device(), kept.generator_state);
    blocks_[index].forward(kept.input, context_, kept.state);
  }
  return blocks_[index].backward(gradient, context_, kept.state);
}

at::Tensor Decoder::forward_rows(const at::Tensor& ids, bool keeps) {
  kept_.clear();
  kept_.resize(blocks_.size());
  at::Tensor x = embed(ids);
  for (size_t i = 0; i < blocks_.size(); ++i) x = block_forward(i, x, keeps);
  const ProfiledPhase phase(profiler_, kFramePhase);
  const at::Tensor result = final_norm_.forward(x, last_statistics_);
  last_ = keeps ? x : at::Tensor();
  return result;
}

at::Tensor Decoder::hidden(const ModelInput& input, bool keeps, bool drops) {
  context_ = make_context(input, drops);
  return forward_rows(input.ids, keeps).view({context_.batch_size, context_.length, -1});
}

at::Tensor Decoder::decode_first(const at::Tensor& ids, std::span<const int64_t> lengths,
                                 KeyValueCache& cache) {
  context_ = make_context(ids, /*drops=*/false);
  context_.cache = &cache;
  const at::Tensor all = forward_rows(ids, /*keeps=*/false);
  cache.set_lengths(lengths);
  std::vector<int64_t> last;
  for (size_t i = 0; i < lengths.size(); ++i)
    last.push_back(static_cast<int64_t>(i) * ids.size(1) + lengths[i] - 1);
  const at::Tensor rows = all.index_select(0, at::tensor(last, at::kLong).to(ids.device()));
  return head(rows, /*decodes=*/true);
}

at::Tensor Decoder::decode_next(const at::Tensor& ids, KeyValueCache& cache) {
  context_ = make_decoding_context(cache, ids.device());
  const at::Tensor rows = forward_rows(ids.unsqueeze(1), /*keeps=*/false);
  cache.advance();
  return head(rows, /*decodes=*/true);
}

void Decoder::backward(const at::Tensor& gradient) {
  const at::Tensor rows = gradient.reshape({-1, spec_.hidden_size});
  ProfiledPhase phase(profiler_, kFramePhase);
  at::Tensor x_gradient = final_norm_.backward(rows, last_, last_statistics_);
  phase.end();
  last_.reset();
  for (size_t i = blocks_.size(); i > first_trained_block_; --i)
    x_gradient = block_backward(i - 1, x_gradient);
  if (first_trained_block_ == 0) embedding_backward(x_gradient);
}

void Decoder::embedding_backward(const at::Tensor& gradient) const {
  const ProfiledPhase phase(profiler_, kEmbeddingPhase);
  if (embedding_kept_.defined()) gradient.mul_(embedding_kept_);
  if (positions_.is_trained()) add_to_rows(gradient, position_ids_, gradient_to_add_to(positions_));
  if (!embedding_.is_trained()) return;
  if (spec_.embedding_scale != 1) gradient.mul_(spec_.embedding_scale);
  if (spec_.padding_id) gradient.masked_fill_(ids_.eq(*spec_.padding_id).unsqueeze(1), 0);
  add_to_rows(gradient, ids_, gradient_to_add_to(embedding_));
}

at::Tensor Decoder::head(const at::Tensor& hidden, bool decodes) const {
  const ProfiledPhase phase(profiler_, kHeadPhase);
  Linear::State ignored;
  at::Tensor logits =
      head_.forward(hidden.reshape({-1, spec_.hidden_size}), {.decodes = decodes}, ignored);
  if (spec_.logit_scale != 1) logits.mul_(spec_.logit_scale);
  if (spec_.logit_softcap > 0) logits.div_(spec_.logit_softcap).tanh_().mul_(spec_.logit_softcap);
  std::vector<int64_t> shape = hidden.sizes().vec();
  shape.back() = spec_.vocab_size;
  return logits.view(shape);
}

bool Decoder::fuses_head_and_loss() const {
  return spec_.logit_scale == 1 && spec_.logit_softcap == 0 &&
         head_.has_cross_entropy(embedding_.value.device());
}

HeadGradient Decoder::head_gradient(const at::Tensor& hidden, const at::Tensor& targets,
                                    const at::Tensor& weights, const at::Tensor& weight_sum) const {
  const at::Tensor rows = hidden.reshape({-1, spec_.hidden_size});
  ProfiledPhase phase(profiler_, kHeadPhase);
  if (fuses_head_and_loss()) {
    const at::Tensor gradient = at::empty_like(rows);
    const CrossEntropySums sums =
        head_.cross_entropy(rows, targets.reshape(-1), weights, weight_sum, gradient);
    return {sums, gradient.view(hidden.sizes())};
  }
  Linear::State state;
  at::Tensor logits = head_.forward(rows, {.drops = context_.drops}, state);
  phase.next("loss");
  if (spec_.logit_scale != 1) logits.mul_(spec_.logit_scale);
  at::Tensor capped;  // tanh(logits / c)
  if (spec_.logit_softcap > 0) {
    capped = logits.div_(spec_.logit_softcap);
    replace_by_tanh(capped);
    logits = capped.mul(spec_.logit_softcap);
  }
  const CrossEntropySums sums =
      replace_by_gradient(logits, targets.reshape(-1), weights, weight_sum);
  if (capped.defined()) logits.mul_(capped.square_().neg_().add_(1));
  if (spec_.logit_scale != 1) logits.mul_(spec_.logit_scale);
  phase.next(kHeadPhase);
  return {sums, head_.backward(logits, rows, state).view(hidden.sizes())};
}

PositionEvaluations Decoder::evaluate_head(const at::Tensor& hidden, const at::Tensor& targets,
                                           const CountedVocabulary& vocabulary) const {
  if (!fuses_head_and_loss()) return evaluate_positions(head(hidden), targets, vocabulary);
  const ProfiledPhase phase(profiler_, kHeadPhase);
  return head_.evaluate(hidden.reshape({-1, spec_.hidden_size}), targets.reshape(-1), vocabulary);
}

}  // namespace pdl
