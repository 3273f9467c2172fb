#include "pdl/model/families/decoder_spec.h"

namespace pdl {
namespace {

// Collects the tensors of a decoder.
class TensorList {
 public:
  explicit TensorList(const DecoderSpec& spec) : spec_(spec) {}

  void add_layer(int64_t index) {
    layer_ = index;
    const ParameterNames& names = spec_.names;
    if (reads_norm_before()) add_norm(names.attention_norm);
    add_attention();
    if (writes_norm_after()) add_norm(names.attention_output_norm);
    if (reads_norm_before() && spec_.block != BlockOrder::kParallelOneNorm)
      add_norm(names.feed_forward_norm);
    add_feed_forward();
    if (writes_norm_after()) add_norm(names.feed_forward_output_norm);
  }

  void add(const std::string& name, std::vector<int64_t> shape, bool joins_previous = false) {
    tensors_.push_back({name, std::move(shape), joins_previous});
  }
  void add_norm_of(const std::string& name) {
    if (spec_.norm_has_weight) add(name + ".weight", {spec_.hidden_size});
    if (spec_.norm_has_bias) add(name + ".bias", {spec_.hidden_size});
  }
  std::vector<TensorSpec> take() { return std::move(tensors_); }

 private:
  bool writes_norm_after() const {
    return spec_.block == BlockOrder::kPost || spec_.block == BlockOrder::kSandwich;
  }
  bool reads_norm_before() const { return spec_.block != BlockOrder::kPost; }

  void add_norm(const std::string& name) { add_norm_of(layer_name(spec_, layer_, name)); }
  void add_matrix(const std::string& name, int64_t out, int64_t in, bool joins_previous = false) {
    const auto shape = spec_.transposed ? std::vector{in, out} : std::vector{out, in};
    add(layer_name(spec_, layer_, name) + ".weight", shape, joins_previous);
  }
  void add_bias(const std::string& name, int64_t out, bool joins_previous = false) {
    add(layer_name(spec_, layer_, name) + ".bias", {out}, joins_previous);
  }

  void add_attention() {
    const ParameterNames& names = spec_.names;
    const int64_t width = spec_.num_heads * spec_.head_dim;
    const int64_t kv_width = spec_.num_kv_heads * spec_.head_dim;
    if (spec_.qkv_layout == QkvLayout::kSeparate) {
      add_matrix(names.query, width, spec_.hidden_size);
      add_matrix(names.key, kv_width, spec_.hidden_size, /*joins_previous=*/true);
      add_matrix(names.value, kv_width, spec_.hidden_size, /*joins_previous=*/true);
      if (spec_.qkv_bias) {
        add_bias(names.query, width);
        add_bias(names.key, kv_width, /*joins_previous=*/true);
        add_bias(names.value, kv_width, /*joins_previous=*/true);
      }
    } else {
      add_matrix(names.qkv, width + 2 * kv_width, spec_.hidden_size);
      if (spec_.qkv_bias) add_bias(names.qkv, width + 2 * kv_width);
    }
    if (spec_.query_key_norm != QueryKeyNorm::kNone) {
      const bool whole = spec_.query_key_norm == QueryKeyNorm::kWhole;
      add(layer_name(spec_, layer_, names.query_norm) + ".weight",
          {whole ? width : spec_.head_dim});
      add(layer_name(spec_, layer_, names.key_norm) + ".weight",
          {whole ? kv_width : spec_.head_dim});
    }
    add_matrix(names.attention_output, spec_.hidden_size, width);
    if (spec_.attention_output_bias) add_bias(names.attention_output, spec_.hidden_size);
  }

  void add_feed_forward() {
    const ParameterNames& names = spec_.names;
    const int64_t inner = spec_.intermediate_size;
    if (spec_.gated && spec_.joined_gate_up) {
      add_matrix(names.gate_up, 2 * inner, spec_.hidden_size);
    } else {
      if (spec_.gated) add_matrix(names.gate, inner, spec_.hidden_size);
      add_matrix(names.up, inner, spec_.hidden_size, /*joins_previous=*/spec_.gated);
    }
    if (spec_.feed_forward_bias) {
      if (spec_.gated) add_bias(names.gate, inner);
      add_bias(names.up, inner, /*joins_previous=*/spec_.gated);
    }
    add_matrix(names.down, spec_.hidden_size, inner);
    if (spec_.feed_forward_bias) add_bias(names.down, spec_.hidden_size);
  }

  const DecoderSpec& spec_;
  int64_t layer_ = 0;
  std::vector<TensorSpec> tensors_;
};

}  // namespace

std::string layer_name(const DecoderSpec& spec, int64_t index, const std::string& name) {
  return spec.names.prefix + spec.names.layers + std::to_string(index) + "." + name;
}

std::vector<TensorSpec> list_tensors(const DecoderSpec& spec) {
  TensorList list(spec);
  const ParameterNames& names = spec.names;
  list.add(names.prefix + names.embedding + ".weight", {spec.vocab_size, spec.hidden_size});
  if (spec.learned_positions) {
    list.add(names.prefix + names.positions + ".weight", {spec.max_positions, spec.hidden_size});
  }
  for (int64_t i = 0; i < std::ssize(spec.layers); ++i) list.add_layer(i);
  list.add_norm_of(names.prefix + names.final_norm);
  return list.take();
}

std::vector<TensorSpec> list_head_tensors(const DecoderSpec& spec) {
  std::vector<TensorSpec> tensors = {
      {.name = spec.names.head + ".weight", .shape = {spec.vocab_size, spec.hidden_size}}};
  if (spec.head_bias)
    tensors.push_back({.name = spec.names.head + ".bias", .shape = {spec.vocab_size}});
  return tensors;
}

}  // namespace pdl
