#include "rotary_config.h"

#include <optional>

namespace pdl {
namespace {

constexpr const char* kScaling = "rope_scaling";
constexpr const char* kParameters = "rope_parameters";

ConfigReader reader_of(ConfigReader& config, std::string_view key) {
  return ConfigReader(config.object().object(key));
}

void read_type(ConfigReader& reader, const DecoderSpec& spec, bool is_scaled, RotarySpec& rotary) {
  const std::string key = reader.object().find("rope_type") != nullptr ? "rope_type" : "type";
  const std::string type = reader.text(key, "default");
  reader.pass_over("type");
  if (type == "linear" && is_scaled) {
    rotary.type = RotaryType::kLinear;
    rotary.factor = reader.positive("factor", 0);
  } else if (type == "llama3" && is_scaled) {
    rotary.type = RotaryType::kLlama3;
    rotary.factor = reader.positive("factor", 0);
    rotary.low_freq_factor = reader.positive("low_freq_factor", 0);
    rotary.high_freq_factor = reader.positive("high_freq_factor", 0);
    if (rotary.high_freq_factor <= rotary.low_freq_factor)
      reader.fail("high_freq_factor", "is not above low_freq_factor");
    rotary.original_max_positions =
        reader.size("original_max_position_embeddings", spec.max_positions);
  } else if (type != "default") {
    reader.fail(key, "is not supported by native models of " + spec.family);
  } else {
    reader.pass_over("original_max_position_embeddings");
    reader.pass_over("factor");
  }
}

// Truncates, as transformers does.
int64_t rotated_dims(ConfigReader& reader, std::string_view key, double share,
                     const DecoderSpec& spec) {
  if (share <= 0 || share > 1) reader.fail(key, "is not a share of the head");
  const auto dims = static_cast<int64_t>(static_cast<double>(spec.head_dim) * share);
  if (dims < 2 || dims % 2 != 0) {
    reader.fail(key, "rotates " + std::to_string(dims) + " of the " +
                         std::to_string(spec.head_dim) +
                         " dimensions of a head; it must be an even number");
  }
  return dims;
}

void read_object(ConfigReader reader, const DecoderSpec& spec, const RotaryDefaults& defaults,
                 RotarySpec& rotary, double& share) {
  read_type(reader, spec, defaults.is_scaled, rotary);
  rotary.theta = reader.positive("rope_theta", rotary.theta);
  share = reader.number("partial_rotary_factor", share);
  if (defaults.share_key.empty() && share != 1)
    reader.fail("partial_rotary_factor", "is not supported by native models of " + spec.family);
  reader.finish(spec.family + "'s rotary positions");
}

}  // namespace

RotarySpec read_rotary(ConfigReader& config, const DecoderSpec& spec,
                       const RotaryDefaults& defaults, std::vector<std::string>& notes) {
  RotarySpec rotary{.theta = config.positive(defaults.theta_key, defaults.theta),
                    .interleaved = defaults.interleaved};
  double share = defaults.share_key.empty() ? 1 : config.number(defaults.share_key, defaults.share);
  const bool has_scaling = config.object().find(kScaling) != nullptr;
  const bool has_parameters = config.object().find(kParameters) != nullptr;
  if (has_scaling && has_parameters) {
    notes.emplace_back(
        "config.json has rope_scaling and rope_parameters: rope_scaling replaces the other, as in "
        "transformers");
  }
  std::string share_place = defaults.share_key.empty() ? "head_dim" : defaults.share_key;
  if (has_scaling || has_parameters) {
    const double theta = rotary.theta;
    const bool has_theta = config.object().find(defaults.theta_key) != nullptr;
    read_object(reader_of(config, has_scaling ? kScaling : kParameters), spec, defaults, rotary,
                share);
    if (has_theta && theta != rotary.theta) {
      notes.push_back("config.json has " + defaults.theta_key + " and another rope_theta in " +
                      (has_scaling ? kScaling : kParameters) + ": the second counts");
    }
  }
  rotary.dims = rotated_dims(config, share_place, share, spec);
  return rotary;
}

std::vector<RotarySpec> read_two_rotaries(ConfigReader& config, const DecoderSpec& spec,
                                          std::vector<std::string>& notes) {
  RotarySpec sliding{.theta = config.positive("rope_local_base_freq", 10'000)};
  RotarySpec full{.theta = config.positive("rope_theta", 1'000'000)};
  const RotaryDefaults defaults;
  double share = 1;
  if (config.object().find(kParameters) != nullptr) {
    ConfigReader parameters = reader_of(config, kParameters);
    for (const auto& [key, rotary] :
         {std::pair{"sliding_attention", &sliding}, std::pair{"full_attention", &full}}) {
      if (parameters.object().find(key) != nullptr)
        read_object(reader_of(parameters, key), spec, defaults, *rotary, share);
    }
    parameters.finish("gemma3_text's rotary positions");
  }
  if (config.object().find(kScaling) != nullptr) {
    if (config.object().find(kParameters) != nullptr) {
      notes.emplace_back(
          "config.json has rope_scaling and rope_parameters: rope_scaling counts for the layers "
          "without a window, as in transformers");
    }
    read_object(reader_of(config, kScaling), spec, defaults, full, share);
  }
  sliding.dims = rotated_dims(config, "head_dim", 1, spec);
  full.dims = sliding.dims;
  return {sliding, full};
}

}  // namespace pdl
