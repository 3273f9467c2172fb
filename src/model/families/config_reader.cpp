#include "config_reader.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace pdl {
namespace {

constexpr int64_t kMaxSize = 1 << 20;
constexpr int64_t kMaxLayers = 10'000;
constexpr int64_t kMaxLength = 1 << 30;

// Keys that older or other programs write and that change no number of a causal language model:
// those of every model, of generation, of training.
constexpr std::array kWithoutEffect = {"_attn_implementation",
                                       "_attn_implementation_autoset",
                                       "_attn_implementation_internal",
                                       "_commit_hash",
                                       "_flash_attn_2_enabled",
                                       "_model_name_or_path",
                                       "_name_or_path",
                                       "_num_labels",
                                       "architectures",
                                       "assistant_confidence_threshold",
                                       "assistant_lookbehind",
                                       "attn_implementation",
                                       "auto_map",
                                       "bad_words_ids",
                                       "begin_suppress_tokens",
                                       "bos_token_id",
                                       "cache_implementation",
                                       "chunk_size_feed_forward",
                                       "decoder_start_token_id",
                                       "diversity_penalty",
                                       "do_sample",
                                       "dtype",
                                       "early_stopping",
                                       "encoder_no_repeat_ngram_size",
                                       "encoder_repetition_penalty",
                                       "eos_token_id",
                                       "epsilon_cutoff",
                                       "eta_cutoff",
                                       "exponential_decay_length_penalty",
                                       "finetuning_task",
                                       "forced_bos_token_id",
                                       "forced_eos_token_id",
                                       "gradient_checkpointing",
                                       "id2label",
                                       "initializer_range",
                                       "is_llama_config",
                                       "keys_to_ignore_at_inference",
                                       "label2id",
                                       "length_penalty",
                                       "max_length",
                                       "max_new_tokens",
                                       "min_length",
                                       "min_new_tokens",
                                       "min_p",
                                       "model_type",
                                       "n_ctx",
                                       "name_or_path",
                                       "no_repeat_ngram_size",
                                       "num_assistant_tokens",
                                       "num_assistant_tokens_schedule",
                                       "num_beam_groups",
                                       "num_beams",
                                       "num_labels",
                                       "num_return_sequences",
                                       "output_attentions",
                                       "output_hidden_states",
                                       "output_past",
                                       "output_scores",
                                       "prefix",
                                       "pretraining_tp",
                                       "problem_type",
                                       "pruned_heads",
                                       "remove_invalid_values",
                                       "repetition_penalty",
                                       "return_dict",
                                       "return_dict_in_generate",
                                       "rope_interleaved",
                                       "sep_token_id",
                                       "stop_strings",
                                       "suppress_tokens",
                                       "target_lookbehind",
                                       "task_specific_params",
                                       "temperature",
                                       "tf_legacy_loss",
                                       "tie_last_hidden_states",
                                       "tokenizer_class",
                                       "top_k",
                                       "top_p",
                                       "torch_dtype",
                                       "torchscript",
                                       "transformers.js_config",
                                       "transformers_version",
                                       "typical_p",
                                       "unk_token_id",
                                       "unsloth_fixed",
                                       "unsloth_version",
                                       "use_bfloat16",
                                       "use_cache"};

std::string shown(const JsonValue& value) {
  if (value.is(JsonValue::Kind::kBoolean)) return value.boolean() ? "true" : "false";
  return describe(value);
}

}  // namespace

void ConfigReader::fail(std::string_view key, const std::string& why) {
  const JsonValue* value = object_.find(key);
  object_.fail_at(key, (value == nullptr ? "" : shown(*value) + " ") + why);
}

int64_t ConfigReader::size(std::string_view key, int64_t fallback) {
  return object_.find(key) == nullptr ? fallback : object_.integer(key, 1, kMaxSize);
}

int64_t ConfigReader::layer_count(std::string_view key, int64_t fallback) {
  return object_.find(key) == nullptr ? fallback : object_.integer(key, 1, kMaxLayers);
}

int64_t ConfigReader::length(std::string_view key, int64_t fallback) {
  return object_.find(key) == nullptr ? fallback : object_.integer(key, 1, kMaxLength);
}

std::optional<int64_t> ConfigReader::optional_size(std::string_view key) {
  if (object_.find(key) == nullptr) return std::nullopt;
  return size(key, 0);
}

std::optional<int64_t> ConfigReader::optional_length(std::string_view key) {
  if (object_.find(key) == nullptr) return std::nullopt;
  return length(key, 0);
}

double ConfigReader::number(std::string_view key, double fallback) {
  if (object_.find(key) == nullptr) return fallback;
  const double value = object_.number(key);
  if (!std::isfinite(value)) fail(key, "is not finite");
  return value;
}

double ConfigReader::non_negative(std::string_view key, double fallback) {
  const double value = number(key, fallback);
  if (value < 0) fail(key, "is below 0");
  return value;
}

double ConfigReader::positive(std::string_view key, double fallback) {
  const double value = number(key, fallback);
  if (value <= 0) fail(key, "is not above 0");
  return value;
}

double ConfigReader::optional_positive(std::string_view key) {
  return object_.find(key) == nullptr ? 0 : positive(key, 0);
}

double ConfigReader::probability(std::string_view key, double fallback) {
  const double value = number(key, fallback);
  if (value < 0 || value >= 1) fail(key, "is not a probability below 1");
  return value;
}

bool ConfigReader::flag(std::string_view key, bool fallback) {
  return object_.boolean_or(key, fallback);
}

std::string ConfigReader::text(std::string_view key, const std::string& fallback) {
  return object_.find(key) == nullptr ? fallback : object_.string(key);
}

Activation ConfigReader::activation(std::string_view key, const std::string& fallback) {
  const std::string name = text(key, fallback);
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "gelu") return Activation::kGelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu_fast")
    return Activation::kGeluTanh;
  if (name == "relu") return Activation::kRelu;
  fail(key, "is not an activation of native models: silu, gelu, gelu_pytorch_tanh, relu");
}

std::optional<std::vector<bool>> ConfigReader::sliding_layers(int64_t num_layers) {
  const JsonValue* types = object_.find("layer_types");
  if (types == nullptr) return std::nullopt;
  std::vector<bool> sliding;
  for (const JsonValue& type : types->items()) {
    std::string name = type.is_string() ? type.text() : "";
    if (name == "attention") name = "full_attention";  // as older files call it
    if (name != "sliding_attention" && name != "full_attention") {
      object_.fail_at(element_place("layer_types", sliding.size()),
                      shown(type) + " is not supported: sliding_attention or full_attention");
    }
    sliding.push_back(name == "sliding_attention");
  }
  if (std::ssize(sliding) != num_layers) {
    object_.fail_at("layer_types", "has " + std::to_string(sliding.size()) +
                                       " layers, and num_hidden_layers is " +
                                       std::to_string(num_layers));
  }
  return sliding;
}

void ConfigReader::refuse_true(std::string_view key) {
  if (flag(key)) fail(key, "is not supported");
}

void ConfigReader::expect_true(std::string_view key) {
  if (!flag(key, true)) fail(key, "is not supported");
}

void ConfigReader::expect(std::string_view key, double value) {
  if (number(key, value) != value) fail(key, "is not supported");
}

void ConfigReader::expect(std::string_view key, std::string_view value) {
  if (text(key, std::string(value)) != value) fail(key, "is not supported");
}

void ConfigReader::finish(const std::string& family) {
  for (const char* key : kWithoutEffect) object_.ignore(key);
  for (const auto& [key, value] : object_.unasked()) {
    const bool is_false = value->is(JsonValue::Kind::kBoolean) && !value->boolean();
    if (is_false || value->is(JsonValue::Kind::kNull)) continue;
    object_.fail_at(key, shown(*value) + " is not known: " + family + " has no such setting");
  }
}

}  // namespace pdl
