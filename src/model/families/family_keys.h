// Reads the keys that all or most families have.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "families.h"
#include "rotary_config.h"

namespace pdl {

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

// Reads what SizeDefaults lists, padding and the dropout of attention included.
void read_sizes(const FamilyReading& reading, const SizeDefaults& defaults);

void read_rms_norm(const FamilyReading& reading, double eps = 1e-6);
void read_layer_norm(const FamilyReading& reading, const std::string& key, bool has_bias);
// Sets the rotary positions of all layers.
void read_one_rotary(const FamilyReading& reading, const RotaryDefaults& defaults = {});
// "attention_bias", of all four projections.
void read_attention_bias(const FamilyReading& reading, bool fallback = false);

// Returns sliding_window: null is none, and what is missing is `fallback`.
std::optional<int64_t> window_or(ConfigReader& config, std::optional<int64_t> fallback);
void set_all_windows(DecoderSpec& spec, std::optional<int64_t> window);
// Sets the windows of the layers that `layer_types` or, where it is missing, `fallback` says.
void set_windows(const FamilyReading& reading, std::optional<int64_t> window,
                 const std::function<bool(int64_t layer)>& fallback);

}  // namespace pdl
