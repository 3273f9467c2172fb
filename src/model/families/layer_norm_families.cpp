// Families whose norms divide by the deviation from the mean.
#include <cmath>

#include "family_keys.h"

namespace pdl {
namespace {

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
                int64_t fallback,
                int64_t (ConfigReader::*read)(std::string_view, int64_t) = &ConfigReader::size) {
  const int64_t other = (config.*read)(alias, fallback);
  const int64_t value = (config.*read)(key, other);
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
  const int64_t num_layers =
      size_of(config, "n_layer", "num_hidden_layers", 12, &ConfigReader::layer_count);
  spec.layers.assign(static_cast<size_t>(num_layers), {.rotary = LayerSpec::kNoRotary});
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
       {"pad_token_id", "n_special", "predict_special_tokens", "reorder_and_upcast_attn",
        "summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels",
        "summary_first_dropout"}) {
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
  config.pass_over("attention_probs_dropout_prob");  // of older files
  config.pass_over("hidden_dropout_prob");
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
  // Files of transformers 4 repeat the two under these names, which transformers 5 passes over.
  config.expect("rope_theta", spec.rotary.front().theta);
  config.expect("partial_rotary_factor", config.number("rotary_pct", 0.25));
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
  config.pass_over("model_max_length");
  read_one_rotary(reading, {.theta = theta, .interleaved = true});
}

void read_cohere(const FamilyReading& reading) { read_cohere_common(reading, 500'000); }

void read_cohere2(const FamilyReading& reading) {
  const auto& [config, spec, notes] = reading;
  read_cohere_common(reading, 10'000);
  const int64_t pattern = config.size("sliding_window_pattern", 4);
  for (const char* key : {"use_embedding_sharing", "use_gated_activation", "use_parallel_block"})
    config.expect_true(key);
  config.expect("order_of_interleaved_layers", "local_attn_first");
  config.expect("position_embedding_type", "rope_gptj");
  config.expect("rotary_pct", 1);
  for (const char* key : {"_sliding_window_pattern", "layer_switch", "use_parallel_embedding"})
    config.pass_over(key);
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
  for (const char* key :
       {"attention_softmax_in_fp32", "scale_attention_softmax_in_fp32", "scale_attn_weights"}) {
    config.expect_true(key);
  }
  config.expect("mlp_type", "default");
  config.expect("norm_type", "layer_norm");
  read_one_rotary(reading);
}

}  // namespace

FamilyTable layer_norm_families() {
  return {{"phi", read_phi},           {"olmo", read_olmo},
          {"stablelm", read_stablelm}, {"gpt2", read_gpt2},
          {"gpt_neox", read_gpt_neox}, {"cohere", read_cohere},
          {"cohere2", read_cohere2},   {"starcoder2", read_starcoder2}};
}

}  // namespace pdl
