// Families whose norms divide by the root of the mean square.
#include "family_keys.h"

namespace pdl {
namespace {

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
  const std::optional<int64_t> window = window_or(config, 4096);
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

// Which layers rotate: "no_rope_layers" has 1 for those that do.
std::vector<bool> rotating_layers(ConfigReader& config, int64_t num_layers) {
  std::vector<bool> rotates;
  if (config.object().find("no_rope_layers") == nullptr) {
    const int64_t interval = config.size("no_rope_layer_interval", 4);
    for (int64_t i = 0; i < num_layers; ++i) rotates.push_back((i + 1) % interval != 0);
    return rotates;
  }
  config.pass_over("no_rope_layer_interval");
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
  config.pass_over("max_window_layers");
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

void read_granite(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_sizes(reading, {});
  read_rms_norm(reading);
  read_attention_bias(reading);
  spec.feed_forward_bias = config.flag("mlp_bias");
  spec.activation = config.activation("hidden_act", "silu");
  spec.embedding_scale = config.number("embedding_multiplier", 1);
  spec.residual_scale = config.number("residual_multiplier", 1);
  spec.attention_scale = config.positive("attention_multiplier", 1);
  spec.logit_scale = 1 / config.positive("logits_scaling", 1);
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

FamilyTable rms_norm_families() {
  return {{"llama", read_llama}, {"mistral", read_mistral}, {"qwen2", read_qwen2},
          {"qwen3", read_qwen3}, {"phi3", read_phi3},       {"smollm3", read_smollm3},
          {"olmo2", read_olmo2}, {"granite", read_granite}, {"exaone4", read_exaone4}};
}

}  // namespace pdl
