// One description of the decoders of all families that are trained natively, made from config.json.
// A family is what transformers calls a model_type.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pdl {

// What a norm divides by: the root of the mean square, or the deviation from the mean.
enum class NormKind { kRms, kLayer };

// f(x) between the two products of a feed-forward network; gelu by erf, or by its approximation
// with tanh, which is also called gelu_new.
enum class Activation { kSilu, kGelu, kGeluTanh, kRelu };

// How attention a and feed-forward f join the residual stream x, with norms n.
enum class BlockOrder {
  kPre,               // x += a(n(x)); x += f(n(x))
  kPost,              // x += n(a(x)); x += n(f(x))
  kSandwich,          // x += n(a(n(x))); x += n(f(n(x)))
  kParallelOneNorm,   // h = n(x); x += a(h) + f(h)
  kParallelTwoNorms,  // x += a(n(x)) + f(n'(x))
};

// Over what queries and keys are normalised before they are rotated.
enum class QueryKeyNorm { kNone, kHead, kWhole };

// How the projections to queries, keys and values are stored.
enum class QkvLayout {
  kSeparate,  // three matrices
  kJoined,    // one, with all queries, then all keys, then all values
  kPerHead,   // one, with query, key and value of the first head, then of the second, …
};

// By what law the frequencies of rotary positions are scaled.
enum class RotaryType { kDefault, kLinear, kLlama3 };

// Rotary positions (Su et al., 2021). Pair i of `dims` / 2 turns by position · theta^(-2i/dims).
struct RotarySpec {
  RotaryType type = RotaryType::kDefault;
  double theta = 10'000;
  int64_t dims = 0;          // of each head that are rotated, the first ones
  bool interleaved = false;  // pairs are neighbours; else one of each half of `dims`
  double factor = 1;         // of linear and llama3
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  int64_t original_max_positions = 0;  // of llama3

  bool operator==(const RotarySpec&) const = default;
};

// What differs between layers.
struct LayerSpec {
  static constexpr int kNoRotary = -1;

  int64_t window = 0;  // tokens that a token sees, itself included; 0: all before it
  int rotary = 0;      // index into DecoderSpec::rotary, or kNoRotary
};

// Probabilities with which training drops elements.
struct DropoutSpec {
  double embedding = 0;
  double attention = 0;  // of the probabilities
  double attention_output = 0;
  double feed_forward_output = 0;
};

// The names of a family's tensors in its file, without ".weight" and ".bias".
struct ParameterNames {
  std::string prefix = "model.";  // of all but the head; some files leave it out
  std::string embedding = "embed_tokens";
  std::string positions = {};      // learned ones
  std::string layers = "layers.";  // a layer's tensors follow "<layers><index>."
  std::string query = "self_attn.q_proj";
  std::string key = "self_attn.k_proj";
  std::string value = "self_attn.v_proj";
  std::string qkv = {};  // one of all three
  std::string query_norm = "self_attn.q_norm";
  std::string key_norm = "self_attn.k_norm";
  std::string attention_output = "self_attn.o_proj";
  std::string gate = "mlp.gate_proj";
  std::string up = "mlp.up_proj";
  std::string gate_up = {};  // one of both
  std::string down = "mlp.down_proj";
  std::string attention_norm = "input_layernorm";
  std::string attention_output_norm = "post_attention_layernorm";  // of kPost and kSandwich
  std::string feed_forward_norm = "post_attention_layernorm";
  std::string feed_forward_output_norm = "post_feedforward_layernorm";
  std::string final_norm = "norm";
  std::string head = "lm_head";
};

// All of a decoder but its weights.
struct DecoderSpec {
  std::string family;
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t intermediate_size = 0;
  int64_t max_positions = 0;
  std::vector<LayerSpec> layers;

  NormKind norm = NormKind::kRms;
  double norm_eps = 1e-6;
  bool norm_has_weight = true;
  bool norm_has_bias = false;
  bool norm_one_plus_weight = false;  // the factor is 1 + weight
  BlockOrder block = BlockOrder::kPre;

  QkvLayout qkv_layout = QkvLayout::kSeparate;
  bool qkv_bias = false;
  bool attention_output_bias = false;
  QueryKeyNorm query_key_norm = QueryKeyNorm::kNone;
  double attention_scale = 1;    // of q·k
  double attention_softcap = 0;  // c·tanh(scores / c); 0: none
  double clip_qkv = 0;           // q, k and v are clamped to [-clip_qkv, clip_qkv]; 0: not

  Activation activation = Activation::kSilu;
  bool gated = true;  // down(f(gate(x)) · up(x)); else down(f(up(x)))
  bool joined_gate_up = false;
  bool feed_forward_bias = false;

  bool transposed = false;  // matrices of layers are stored as [in, out]
  std::vector<RotarySpec> rotary;
  bool learned_positions = false;
  double embedding_scale = 1;
  double residual_scale = 1;  // of what attention and feed-forward add
  double logit_scale = 1;
  double logit_softcap = 0;  // 0: none
  bool head_bias = false;
  bool ties_head = false;             // the head is the embedding, as config.json says
  std::optional<int64_t> padding_id;  // whose embedding gets no gradient as an input
  DropoutSpec dropout;
  ParameterNames names;
};

// A tensor that a model's file must hold.
struct TensorSpec {
  std::string name;
  std::vector<int64_t> shape;
  // One product reads it together with the tensor before it, which has as many columns.
  bool joins_previous = false;
};

// Returns the tensors of a decoder but that of a head, in the order of the forward pass. Those that
// one product reads follow one another: queries, keys and values, gate and up.
std::vector<TensorSpec> list_tensors(const DecoderSpec& spec);

// Returns the head's tensors: its matrix and, if it has one, its bias.
std::vector<TensorSpec> list_head_tensors(const DecoderSpec& spec);

// Returns "<layers><index>.<name>" with the prefix.
std::string layer_name(const DecoderSpec& spec, int64_t index, const std::string& name);

}  // namespace pdl
