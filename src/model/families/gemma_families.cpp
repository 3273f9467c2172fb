// The Gemmas, whose norms multiply by 1 + weight.
#include <cmath>

#include "family_keys.h"

namespace pdl {
namespace {

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
  const auto softcap = [&config = config](std::string_view key, double fallback) {
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
  config.pass_over("_sliding_window_pattern");  // is saved, but not read again
  const int64_t pattern = config.size("sliding_window_pattern", 6);
  set_windows(reading, window_or(config, 4096),
              [&](int64_t layer) { return (layer + 1) % pattern != 0; });
  spec.rotary = read_two_rotaries(config, spec, notes);
  for (LayerSpec& layer : spec.layers) layer.rotary = layer.window > 0 ? 0 : 1;
}

}  // namespace

FamilyTable gemma_families() {
  return {{"gemma", read_gemma}, {"gemma2", read_gemma2}, {"gemma3_text", read_gemma3}};
}

}  // namespace pdl
