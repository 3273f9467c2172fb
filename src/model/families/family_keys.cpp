#include "family_keys.h"

#include <cmath>

namespace pdl {
namespace {

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

}  // namespace

void read_sizes(const FamilyReading& reading, const SizeDefaults& defaults) {
  const auto& [config, spec, notes] = reading;
  spec.vocab_size = config.size("vocab_size", defaults.vocab_size);
  spec.hidden_size = config.size("hidden_size", defaults.hidden_size);
  spec.intermediate_size = config.size("intermediate_size", defaults.intermediate_size);
  spec.max_positions = config.length("max_position_embeddings", defaults.max_positions);
  spec.layers.resize(
      static_cast<size_t>(config.layer_count("num_hidden_layers", defaults.num_layers)));
  read_heads(reading, defaults);
  read_padding(reading, defaults.padding_id);
  spec.ties_head = config.flag("tie_word_embeddings", defaults.ties_head);
  spec.dropout.attention = config.probability("attention_dropout");
}

void read_rms_norm(const FamilyReading& reading, double eps) {
  reading.spec.norm_eps = reading.config.non_negative("rms_norm_eps", eps);
}

void read_layer_norm(const FamilyReading& reading, const std::string& key, bool has_bias) {
  reading.spec.norm = NormKind::kLayer;
  reading.spec.norm_eps = reading.config.non_negative(key, 1e-5);
  reading.spec.norm_has_bias = has_bias;
}

void read_one_rotary(const FamilyReading& reading, const RotaryDefaults& defaults) {
  reading.spec.rotary = {read_rotary(reading.config, reading.spec, defaults, reading.notes)};
}

void read_attention_bias(const FamilyReading& reading, bool fallback) {
  reading.spec.qkv_bias = reading.config.flag("attention_bias", fallback);
  reading.spec.attention_output_bias = reading.spec.qkv_bias;
}

void set_all_windows(DecoderSpec& spec, std::optional<int64_t> window) {
  for (LayerSpec& layer : spec.layers) layer.window = window.value_or(0);
}

void set_windows(const FamilyReading& reading, std::optional<int64_t> window,
                 const std::function<bool(int64_t layer)>& fallback) {
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

std::optional<int64_t> window_or(ConfigReader& config, std::optional<int64_t> fallback) {
  if (config.object().has("sliding_window")) return config.optional_length("sliding_window");
  return fallback;
}

}  // namespace pdl
