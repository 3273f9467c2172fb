#include "families.h"

#include <cmath>
#include <optional>

#include "rotary_config.h"

namespace pdl {
namespace {

// Defaults of a class of transformers for the keys that all families have.
struct SizeDefaults {
  int64_t vocab_size = 32'000;
  int64_t hidden_size = 4096;
  int64_t intermediate_size = 11'008;
  int64_t num_layers = 32;
  int64_t num_heads = 32;
  int64_t num_kv_heads = 0;  // 0: as many as heads
  int64_t max_positions = 2048;
  int64_t head_dim = 0;  // 0: hidden_size / num_heads
  // Whether the class has a key head_dim that counts.
  bool reads_head_dim = false;
  std::optional<int64_t> padding_id = {};
  bool ties_head = false;
};

void read_head_dim(const FamilyReading& reading, const SizeDefaults& defaults) {
  const auto& [config, spec, notes] = reading;
  const std::optional<int64_t> given = config.optional_size("head_dim");
  const int64_t share = spec.hidden_size / spec.num_heads;
  if (given && !defaults.reads_head_dim && *given != share) {
    config.fail("head_dim", "is not hidden_size / num_attention_heads, " + std::to_string(share) +
                                ", and " + spec.family + " has no other");
  }
  spec.head_dim = given.value_or(defaults.head_dim > 0 ? defaults.head_dim : share);
  if (!given && defaults.head_dim == 0 && spec.hidden_size % spec.num_heads != 0)
    config.fail("hidden_size", "is no multiple of num_attention_heads");
}

void read_heads(const FamilyReading& reading, const SizeDefaults& defaults) {
  const auto& [config, spec, notes] = reading;
  spec.num_heads = config.size("num_attention_heads", defaults.num_heads);
  // Null means as many as heads, also where a missing key does not.
  const bool is_null = config.object().has("num_key_value_heads") &&
                       config.object().find("num_key_value_heads") == nullptr;
  const int64_t fallback =
      is_null || defaults.num_kv_heads == 0 ? spec.num_heads : defaults.num_kv_heads;
  spec.num_kv_heads = config.size("num_key_value_heads", fallback);
  if (spec.num_heads % spec.num_kv_heads != 0) {
    config.fail("num_key_value_heads",
                "does not divide num_attention_heads, " + std::to_string(spec.num_heads));
  }
  read_head_dim(reading, defaults);
  spec.attention_scale = 1 / std::sqrt(static_cast<double>(spec.head_dim));
}

// nn.Embedding counts a negative index from the end.
void read_padding(const FamilyReading& reading, std::optional<int64_t> fallback) {
  const auto& [config, spec, notes] = reading;
  if (config.object().find("pad_token_id") != nullptr) {
    spec.padding_id =
        config.object().integer("pad_token_id", -spec.vocab_size, spec.vocab_size - 1);
  } else if (!config.object().has("pad_token_id") && fallback) {
    if (*fallback >= spec.vocab_size) {
      config.fail("pad_token_id", "is missing, and the default of " + spec.family + ", " +
                                      std::to_string(*fallback) + ", is beyond vocab_size");
    }
    spec.padding_id = fallback;
  }
  if (spec.padding_id && *spec.padding_id < 0) *spec.padding_id += spec.vocab_size;
}

void read_sizes(const FamilyReading& reading, const SizeDefaults& defaults) {
  const auto& [config, spec, notes] = reading;
  spec.vocab_size = config.size("vocab_size", defaults.vocab_size);
  spec.hidden_size = config.size("hidden_size", defaults.hidden_size);
  spec.intermediate_size = config.size("intermediate_size", defaults.intermediate_size);
  spec.max_positions = config.size("max_position_embeddings", defaults.max_positions);
  spec.layers.resize(static_cast<size_t>(config.size("num_hidden_layers", defaults.num_layers)));
  read_heads(reading, defaults);
  read_padding(reading, defaults.padding_id);
  spec.ties_head = config.flag("tie_word_embeddings", defaults.ties_head);
  spec.dropout.attention = config.probability("attention_dropout");
}

void read_rms_norm(const FamilyReading& reading, double eps = 1e-6) {
  reading.spec.norm_eps = reading.config.number("rms_norm_eps", eps);
}

void read_layer_norm(const FamilyReading& reading, const std::string& key, bool has_bias) {
  reading.spec.norm = NormKind::kLayer;
  reading.spec.norm_eps = reading.config.number(key, 1e-5);
  reading.spec.norm_has_bias = has_bias;
}

void read_one_rotary(const FamilyReading& reading, const RotaryDefaults& defaults = {}) {
  reading.spec.rotary = {read_rotary(reading.config, reading.spec, defaults, reading.notes)};
}

void read_attention_bias(const FamilyReading& reading, bool fallback = false) {
  reading.spec.qkv_bias = reading.config.flag("attention_bias", fallback);
  reading.spec.attention_output_bias = reading.spec.qkv_bias;
}

void set_all_windows(DecoderSpec& spec, std::optional<int64_t> window) {
  for (LayerSpec& layer : spec.layers) layer.window = window.value_or(0);
}

// Sets the windows of the layers that `layer_types` or, where it is missing, `fallback` says.
template <class IsSliding>
void set_windows(const FamilyReading& reading, std::optional<int64_t> window,
                 const IsSliding& fallback) {
  const auto& [config, spec, notes] = reading;
  const auto num_layers = std::ssize(spec.layers);
  const std::optional<std::vector<bool>> given = config.sliding_layers(num_layers);
  for (int64_t i = 0; i < num_layers; ++i) {
    const auto index = static_cast<size_t>(i);
    if (!(given ? (*given)[index] : fallback(i))) continue;
    if (!window) {
      config.object().fail_at("layer_types",
                              "has sliding_attention, and there is no sliding_window");
    }
    spec.layers[index].window = *window;
  }
}

// Returns sliding_window: null is none, and what is missing is `fallback`.
std::optional<int64_t> window_or(ConfigReader& config, std::optional<int64_t> fallback) {
  if (config.object().has("sliding_window")) return config.optional_size("sliding_window");
  return fallback;
}

void read_llama(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_sizes(reading, {.reads_head_dim = true});
  read_rms_norm(reading);
  read_attention_bias(reading);
  spec.feed_forward_bias = config.flag("mlp_bias");
  spec.activation = config.activation("hidden_act", "silu");
  read_one_rotary(reading);
}

void read_mistral(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_sizes(reading, {.intermediate_size = 14'336,
                       .num_kv_heads = 8,
                       .max_positions = 131'072,
                       .reads_head_dim = true});
  read_rms_norm(reading);
  spec.activation = config.activation("hidden_act", "silu");
  set_all_windows(spec, window_or(config, 4096));
  read_one_rotary(reading);
}

void read_qwen(const FamilyReading& reading, bool reads_head_dim) {
  const auto& [config, spec, notes] = reading;
  read_sizes(reading, {.vocab_size = 151'936,
                       .intermediate_size = 22'016,
                       .num_kv_heads = 32,
                       .max_positions = 32'768,
                       .head_dim = reads_head_dim ? 128 : 0,
                       .reads_head_dim = reads_head_dim});
  read_rms_norm(reading);
  spec.activation = config.activation("hidden_act", "silu");
  const bool has_window = config.flag("use_sliding_window");
  const std::optional<int64_t> window = window_or(config, std::nullopt);
  const int64_t first_sliding = config.object().find("max_window_layers") == nullptr
                                    ? 28
                                    : config.object().integer("max_window_layers", 0, INT32_MAX);
  set_windows(reading, has_window ? window : std::nullopt,
              [&](int64_t layer) { return has_window && window && layer >= first_sliding; });
  read_one_rotary(reading);
}

void read_qwen2(const FamilyReading& reading) {
  read_qwen(reading, /*reads_head_dim=*/false);
  reading.spec.qkv_bias = true;
}

void read_qwen3(const FamilyReading& reading) {
  read_qwen(reading, /*reads_head_dim=*/true);
  read_attention_bias(reading);
  reading.spec.query_key_norm = QueryKeyNorm::kHead;
}

// What the three Gemmas share.
void read_gemma_common(const FamilyReading& reading, const SizeDefaults& defaults) {
  const auto& [config, spec, notes] = reading;
  read_sizes(reading, defaults);
  read_rms_norm(reading);
  read_attention_bias(reading);
  config.refuse_true("use_bidirectional_attention");
  spec.norm_one_plus_weight = true;
  spec.embedding_scale = std::sqrt(static_cast<double>(spec.hidden_size));
}

void read_gemma(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_gemma_common(reading, {.vocab_size = 256'000,
                              .hidden_size = 3072,
                              .intermediate_size = 24'576,
                              .num_layers = 28,
                              .num_heads = 16,
                              .num_kv_heads = 16,
                              .max_positions = 8192,
                              .head_dim = 256,
                              .reads_head_dim = true,
                              .padding_id = 0,
                              .ties_head = true});
  spec.activation = config.activation("hidden_act", "gelu_pytorch_tanh");
  if (spec.activation == Activation::kGelu) {
    spec.activation = Activation::kGeluTanh;
    notes.emplace_back(
        "config.json has hidden_act \"gelu\", for which gemma computes gelu_pytorch_tanh, as in "
        "transformers");
  }
  const std::string other = config.text("hidden_activation", "gelu_pytorch_tanh");
  if (other != "gelu_pytorch_tanh") config.fail("hidden_activation", "is not known");
  read_one_rotary(reading);
}

// What Gemma 2 and 3 share.
void read_late_gemma(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_gemma_common(reading, {.vocab_size = spec.family == "gemma2" ? 256'000 : 262'208,
                              .hidden_size = 2304,
                              .intermediate_size = 9216,
                              .num_layers = 26,
                              .num_heads = 8,
                              .num_kv_heads = 4,
                              .max_positions = spec.family == "gemma2" ? 8192 : 131'072,
                              .head_dim = 256,
                              .reads_head_dim = true,
                              .padding_id = 0,
                              .ties_head = true});
  spec.activation = config.activation("hidden_activation", "gelu_pytorch_tanh");
  if (config.object().find("hidden_act") != nullptr &&
      config.activation("hidden_act", "") != spec.activation) {
    notes.push_back("config.json has hidden_act beside hidden_activation: the second counts");
  }
  spec.attention_scale = 1 / std::sqrt(config.positive("query_pre_attn_scalar", 256));
  spec.block = BlockOrder::kSandwich;
  spec.names.feed_forward_norm = "pre_feedforward_layernorm";
}

void read_gemma2(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_late_gemma(reading);
  const auto softcap = [&config](std::string_view key, double fallback) {
    return config.object().has(key) ? config.optional_positive(key) : fallback;
  };
  spec.attention_softcap = softcap("attn_logit_softcapping", 50);
  spec.logit_softcap = softcap("final_logit_softcapping", 30);
  set_windows(reading, window_or(config, 4096), [](int64_t layer) { return layer % 2 == 0; });
  read_one_rotary(reading);
}

void read_gemma3(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_late_gemma(reading);
  spec.logit_softcap = config.optional_positive("final_logit_softcapping");
  if (config.optional_positive("attn_logit_softcapping") > 0) {
    notes.emplace_back(
        "config.json has attn_logit_softcapping, which gemma3_text does not apply, as in "
        "transformers");
  }
  spec.query_key_norm = QueryKeyNorm::kHead;
  const int64_t saved_pattern = config.size("_sliding_window_pattern", 6);
  const int64_t pattern = config.size("sliding_window_pattern", saved_pattern);
  set_windows(reading, window_or(config, 4096),
              [&](int64_t layer) { return (layer + 1) % pattern != 0; });
  spec.rotary = read_two_rotaries(config, spec, notes);
  for (LayerSpec& layer : spec.layers) layer.rotary = layer.window > 0 ? 0 : 1;
}

void read_phi3(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_sizes(reading, {.vocab_size = 32'064,
                       .hidden_size = 3072,
                       .intermediate_size = 8192,
                       .max_positions = 4096,
                       .padding_id = 32'000});
  read_rms_norm(reading, 1e-5);
  spec.activation = config.activation("hidden_act", "silu");
  spec.dropout.attention_output = config.probability("resid_pdrop");
  spec.dropout.feed_forward_output = spec.dropout.attention_output;
  config.pass_over("embd_pdrop");  // the class does not apply it
  config.pass_over("original_max_position_embeddings");
  set_all_windows(spec, window_or(config, std::nullopt));
  spec.qkv_layout = QkvLayout::kJoined;
  spec.names.qkv = "self_attn.qkv_proj";
  spec.joined_gate_up = true;
  spec.names.gate_up = "mlp.gate_up_proj";
  read_one_rotary(reading, {.share_key = "partial_rotary_factor", .is_scaled = false});
}

void read_phi(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_sizes(
      reading,
      {.vocab_size = 51'200, .hidden_size = 2048, .intermediate_size = 8192, .num_layers = 24});
  read_layer_norm(reading, "layer_norm_eps", /*has_bias=*/true);
  spec.activation = config.activation("hidden_act", "gelu_new");
  config.refuse_true("qk_layernorm");
  spec.dropout.embedding = config.probability("embd_pdrop");
  spec.dropout.attention_output = config.probability("resid_pdrop");
  spec.dropout.feed_forward_output = spec.dropout.attention_output;
  spec.block = BlockOrder::kParallelOneNorm;
  spec.gated = false;
  spec.qkv_bias = true;
  spec.attention_output_bias = true;
  spec.feed_forward_bias = true;
  spec.head_bias = true;
  spec.names.attention_output = "self_attn.dense";
  spec.names.up = "mlp.fc1";
  spec.names.down = "mlp.fc2";
  spec.names.final_norm = "final_layernorm";
  read_one_rotary(reading, {.share_key = "partial_rotary_factor", .share = 0.5});
}

// Which layers rotate: "no_rope_layers" has 1 for those that do.
std::vector<bool> rotating_layers(ConfigReader& config, int64_t num_layers) {
  const int64_t interval = config.size("no_rope_layer_interval", 4);
  std::vector<bool> rotates;
  if (config.object().find("no_rope_layers") == nullptr) {
    for (int64_t i = 0; i < num_layers; ++i) rotates.push_back((i + 1) % interval != 0);
    return rotates;
  }
  for (const int64_t value : config.object().integers("no_rope_layers", 0, 1))
    rotates.push_back(value == 1);
  if (std::ssize(rotates) != num_layers) {
    config.object().fail_at("no_rope_layers", "has " + std::to_string(rotates.size()) +
                                                  " layers, and num_hidden_layers is " +
                                                  std::to_string(num_layers));
  }
  return rotates;
}

void read_smollm3(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_sizes(reading, {.vocab_size = 128'256,
                       .hidden_size = 2048,
                       .num_layers = 36,
                       .num_heads = 16,
                       .num_kv_heads = 4,
                       .max_positions = 32'768,
                       .padding_id = 128'004,
                       .ties_head = true});
  read_rms_norm(reading);
  read_attention_bias(reading);
  spec.feed_forward_bias = config.flag("mlp_bias");
  spec.activation = config.activation("hidden_act", "silu");
  const std::vector<bool> rotates = rotating_layers(config, std::ssize(spec.layers));
  const bool has_window = config.flag("use_sliding_window");
  const std::optional<int64_t> window = window_or(config, std::nullopt);
  set_windows(reading, window, [&](int64_t layer) {
    return has_window && window && !rotates[static_cast<size_t>(layer)];
  });
  for (size_t i = 0; i < rotates.size(); ++i) {
    if (!rotates[i]) spec.layers[i].rotary = LayerSpec::kNoRotary;
  }
  read_one_rotary(reading, {.theta = 2'000'000});
}

void read_olmo(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_sizes(reading, {.vocab_size = 50'304, .padding_id = 1});
  spec.norm = NormKind::kLayer;
  spec.norm_eps = 1e-5;
  spec.norm_has_weight = false;
  read_attention_bias(reading);
  spec.activation = config.activation("hidden_act", "silu");
  spec.clip_qkv = config.optional_positive("clip_qkv");
  read_one_rotary(reading);
}

void read_olmo2(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_sizes(reading, {.vocab_size = 50'304, .padding_id = 1});
  read_rms_norm(reading, 1e-5);
  read_attention_bias(reading);
  spec.activation = config.activation("hidden_act", "silu");
  spec.block = BlockOrder::kPost;
  spec.query_key_norm = QueryKeyNorm::kWhole;
  read_one_rotary(reading);
}

void read_stablelm(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_sizes(reading, {.vocab_size = 50'304,
                       .hidden_size = 2560,
                       .intermediate_size = 6912,
                       .num_kv_heads = 32,
                       .max_positions = 4096});
  read_layer_norm(reading, "layer_norm_eps", /*has_bias=*/true);
  spec.activation = config.activation("hidden_act", "silu");
  config.refuse_true("qk_layernorm");
  spec.qkv_bias = config.flag("use_qkv_bias");
  if (config.flag("use_parallel_residual")) spec.block = BlockOrder::kParallelOneNorm;
  spec.dropout.feed_forward_output = config.probability("hidden_dropout");
  read_one_rotary(reading, {.share_key = "partial_rotary_factor", .share = 0.25});
}

// transformers takes these keys by both names.
int64_t size_of(ConfigReader& config, std::string_view key, std::string_view alias,
                int64_t fallback) {
  const int64_t other = config.size(alias, fallback);
  const int64_t value = config.size(key, other);
  if (config.object().find(alias) != nullptr && value != other)
    config.fail(key, "differs from " + std::string(alias) + ", which means the same");
  return value;
}

void read_gpt2(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  spec.vocab_size = config.size("vocab_size", 50'257);
  spec.hidden_size = size_of(config, "n_embd", "hidden_size", 768);
  spec.num_heads = size_of(config, "n_head", "num_attention_heads", 12);
  spec.num_kv_heads = spec.num_heads;
  if (spec.hidden_size % spec.num_heads != 0) config.fail("n_embd", "is no multiple of n_head");
  spec.head_dim = spec.hidden_size / spec.num_heads;
  spec.layers.assign(static_cast<size_t>(size_of(config, "n_layer", "num_hidden_layers", 12)),
                     {.rotary = LayerSpec::kNoRotary});
  spec.max_positions = size_of(config, "n_positions", "max_position_embeddings", 1024);
  spec.intermediate_size = config.optional_size("n_inner").value_or(4 * spec.hidden_size);
  read_layer_norm(reading, "layer_norm_epsilon", /*has_bias=*/true);
  spec.activation = config.activation("activation_function", "gelu_new");
  spec.attention_scale = config.flag("scale_attn_weights", true)
                             ? 1 / std::sqrt(static_cast<double>(spec.head_dim))
                             : 1;
  config.refuse_true("scale_attn_by_inverse_layer_idx");
  config.refuse_true("add_cross_attention");
  spec.dropout = {.embedding = config.probability("embd_pdrop", 0.1),
                  .attention = config.probability("attn_pdrop", 0.1),
                  .attention_output = config.probability("resid_pdrop", 0.1)};
  spec.dropout.feed_forward_output = spec.dropout.attention_output;
  spec.ties_head = config.flag("tie_word_embeddings", true);
  for (const char* key :
       {"pad_token_id", "reorder_and_upcast_attn", "summary_type", "summary_use_proj",
        "summary_activation", "summary_proj_to_labels", "summary_first_dropout"}) {
    config.pass_over(key);
  }
  spec.learned_positions = true;
  spec.gated = false;
  spec.qkv_bias = true;
  spec.attention_output_bias = true;
  spec.feed_forward_bias = true;
  spec.transposed = true;
  spec.qkv_layout = QkvLayout::kJoined;
  spec.names = {.prefix = "transformer.",
                .embedding = "wte",
                .positions = "wpe",
                .layers = "h.",
                .qkv = "attn.c_attn",
                .attention_output = "attn.c_proj",
                .up = "mlp.c_fc",
                .down = "mlp.c_proj",
                .attention_norm = "ln_1",
                .feed_forward_norm = "ln_2",
                .final_norm = "ln_f"};
}

void read_gpt_neox(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_sizes(reading, {.vocab_size = 50'432,
                       .hidden_size = 6144,
                       .intermediate_size = 24'576,
                       .num_layers = 44,
                       .num_heads = 64});
  if (spec.num_kv_heads != spec.num_heads)
    config.fail("num_key_value_heads", "is not known: gpt_neox has no such setting");
  spec.padding_id.reset();  // its embedding is made without
  read_layer_norm(reading, "layer_norm_eps", /*has_bias=*/true);
  spec.activation = config.activation("hidden_act", "gelu");
  read_attention_bias(reading, true);
  spec.feed_forward_bias = true;
  spec.block =
      config.flag("use_parallel_residual", true) ? BlockOrder::kParallelTwoNorms : BlockOrder::kPre;
  const double dropout = config.probability("hidden_dropout");
  spec.dropout.embedding = dropout;
  spec.dropout.attention_output = dropout;
  spec.dropout.feed_forward_output = dropout;
  config.pass_over("classifier_dropout");
  config.pass_over("is_decoder");
  spec.gated = false;
  spec.qkv_layout = QkvLayout::kPerHead;
  spec.names = {.prefix = "gpt_neox.",
                .embedding = "embed_in",
                .qkv = "attention.query_key_value",
                .attention_output = "attention.dense",
                .up = "mlp.dense_h_to_4h",
                .down = "mlp.dense_4h_to_h",
                .final_norm = "final_layer_norm",
                .head = "embed_out"};
  read_one_rotary(reading,
                  {.theta_key = "rotary_emb_base", .share_key = "rotary_pct", .share = 0.25});
}

void read_granite(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_sizes(reading, {});
  read_rms_norm(reading);
  read_attention_bias(reading);
  spec.feed_forward_bias = config.flag("mlp_bias");
  spec.activation = config.activation("hidden_act", "silu");
  spec.embedding_scale = config.number("embedding_multiplier", 1);
  spec.residual_scale = config.number("residual_multiplier", 1);
  spec.attention_scale = config.number("attention_multiplier", 1);
  spec.logit_scale = 1 / config.positive("logits_scaling", 1);
  read_one_rotary(reading);
}

// What the two Coheres share.
void read_cohere_common(const FamilyReading& reading, double theta) {
  const auto& [config, spec, notes] = reading;
  read_sizes(reading, {.vocab_size = 256'000,
                       .hidden_size = 8192,
                       .intermediate_size = 22'528,
                       .num_layers = 40,
                       .num_heads = 64,
                       .max_positions = 8192,
                       .padding_id = 0,
                       .ties_head = true});
  read_layer_norm(reading, "layer_norm_eps", /*has_bias=*/false);
  read_attention_bias(reading);
  spec.activation = config.activation("hidden_act", "silu");
  spec.logit_scale = config.number("logit_scale", 0.0625);
  spec.block = BlockOrder::kParallelOneNorm;
  config.refuse_true("use_qk_norm");
  read_one_rotary(reading, {.theta = theta, .interleaved = true});
}

void read_cohere(const FamilyReading& reading) { read_cohere_common(reading, 500'000); }

void read_cohere2(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_cohere_common(reading, 10'000);
  const int64_t pattern = config.size("sliding_window_pattern", 4);
  set_windows(reading, window_or(config, 4096),
              [&](int64_t layer) { return (layer + 1) % pattern != 0; });
  for (LayerSpec& layer : spec.layers) {
    if (layer.window == 0) layer.rotary = LayerSpec::kNoRotary;
  }
}

void read_starcoder2(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_sizes(reading, {.vocab_size = 49'152,
                       .hidden_size = 3072,
                       .intermediate_size = 12'288,
                       .num_layers = 30,
                       .num_heads = 24,
                       .num_kv_heads = 2,
                       .max_positions = 4096,
                       .ties_head = true});
  read_layer_norm(reading, "norm_epsilon", /*has_bias=*/true);
  spec.activation = config.activation("hidden_act", "gelu_pytorch_tanh");
  spec.qkv_bias = config.flag("use_bias", true);
  spec.attention_output_bias = spec.qkv_bias;
  spec.feed_forward_bias = spec.qkv_bias;
  spec.dropout.embedding = config.probability("embedding_dropout");
  spec.dropout.attention_output = config.probability("residual_dropout");
  spec.dropout.feed_forward_output = spec.dropout.attention_output;
  set_all_windows(spec, window_or(config, std::nullopt));
  spec.gated = false;
  spec.names.up = "mlp.c_fc";
  spec.names.down = "mlp.c_proj";
  read_one_rotary(reading);
}

void read_exaone4(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_sizes(reading, {.vocab_size = 102'400, .intermediate_size = 16'384, .num_kv_heads = 32});
  read_rms_norm(reading, 1e-5);
  spec.activation = config.activation("hidden_act", "silu");
  spec.block = BlockOrder::kPost;
  spec.query_key_norm = QueryKeyNorm::kHead;
  const std::optional<int64_t> window = window_or(config, 4096);
  const bool has_types = config.object().find("layer_types") != nullptr;
  int64_t pattern = 4;
  if (has_types) {
    config.pass_over("sliding_window_pattern");
  } else if (!window) {
    config.object().fail_at("layer_types", "is missing, and sliding_window is null");
  } else {
    pattern = config.size("sliding_window_pattern", 4);
  }
  set_windows(reading, window, [&](int64_t layer) { return (layer + 1) % pattern != 0; });
  for (LayerSpec& layer : spec.layers) {
    if (window && layer.window == 0) layer.rotary = LayerSpec::kNoRotary;
  }
  read_one_rotary(reading);
}

}  // namespace

const std::map<std::string, ReadFamily, std::less<>>& families() {
  static const std::map<std::string, ReadFamily, std::less<>> kFamilies = {
      {"cohere", read_cohere},     {"cohere2", read_cohere2},
      {"exaone4", read_exaone4},   {"gemma", read_gemma},
      {"gemma2", read_gemma2},     {"gemma3_text", read_gemma3},
      {"gpt2", read_gpt2},         {"gpt_neox", read_gpt_neox},
      {"granite", read_granite},   {"llama", read_llama},
      {"mistral", read_mistral},   {"olmo", read_olmo},
      {"olmo2", read_olmo2},       {"phi", read_phi},
      {"phi3", read_phi3},         {"qwen2", read_qwen2},
      {"qwen3", read_qwen3},       {"smollm3", read_smollm3},
      {"stablelm", read_stablelm}, {"starcoder2", read_starcoder2}};
  return kFamilies;
}

}  // namespace pdl
