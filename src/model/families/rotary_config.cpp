#include "rotary_config.h"

#include <optional>
#include <utility>

namespace pdl {
namespace {

constexpr const char* kScaling = "rope_scaling";
constexpr const char* kParameters = "rope_parameters";

// An empty one counts as missing, as in transformers.
bool has_members(ConfigReader& config, std::string_view key) {
  const JsonValue* value = config.object().find(key);
  return value != nullptr && !(value->is(JsonValue::Kind::kObject) && value->keys().empty());
}

// The members of one object, or of two of which the first replaces members of the second.
class RotaryKeys {
 public:
  explicit RotaryKeys(ObjectReader object) { add(std::move(object)); }
  void add(ObjectReader object) { readers_.emplace_back(std::move(object)); }

  bool has(std::string_view key) { return of(key).object().find(key) != nullptr; }
  // The reader whose member counts.
  ConfigReader& of(std::string_view key) {
    ConfigReader* found = nullptr;
    for (ConfigReader& reader : readers_) {
      if (reader.object().find(key) != nullptr && found == nullptr) found = &reader;
    }
    return found == nullptr ? readers_.front() : *found;
  }
  double required(std::string_view key) {
    if (!has(key)) of(key).object().fail_at(key, "is missing");
    return of(key).positive(key, 0);
  }
  void finish(const std::string& family) {
    for (ConfigReader& reader : readers_) reader.finish(family + "'s rotary positions");
  }

 private:
  std::vector<ConfigReader> readers_;
};

void read_type(RotaryKeys& keys, const DecoderSpec& spec, bool is_scaled, RotarySpec& rotary) {
  keys.has("type");  // passed over beside rope_type
  const std::string key = keys.has("rope_type") ? "rope_type" : "type";
  const std::string type = keys.of(key).text(key, "default");
  if (type == "linear" && is_scaled) {
    rotary.type = RotaryType::kLinear;
    rotary.factor = keys.required("factor");
    keys.has("original_max_position_embeddings");  // passed over
  } else if (type == "llama3" && is_scaled) {
    rotary.type = RotaryType::kLlama3;
    rotary.factor = keys.required("factor");
    rotary.low_freq_factor = keys.required("low_freq_factor");
    rotary.high_freq_factor = keys.required("high_freq_factor");
    if (rotary.high_freq_factor <= rotary.low_freq_factor)
      keys.of("high_freq_factor").fail("high_freq_factor", "is not above low_freq_factor");
    const char* kOriginal = "original_max_position_embeddings";
    rotary.original_max_positions = keys.of(kOriginal).length(kOriginal, spec.max_positions);
  } else if (type != "default") {
    keys.of(key).fail(key, "is not supported by native models of " + spec.family);
  } else {
    keys.has("original_max_position_embeddings");  // passed over, as the next
    keys.has("factor");
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

void read_keys(RotaryKeys keys, const DecoderSpec& spec, const RotaryDefaults& defaults,
               RotarySpec& rotary, double& share) {
  read_type(keys, spec, defaults.is_scaled, rotary);
  rotary.theta = keys.of("rope_theta").positive("rope_theta", rotary.theta);
  ConfigReader& reader = keys.of("partial_rotary_factor");
  share = reader.number("partial_rotary_factor", share);
  if (defaults.share_key.empty() && share != 1)
    reader.fail("partial_rotary_factor", "is not supported by native models of " + spec.family);
  keys.finish(spec.family);
}

}  // namespace

RotarySpec read_rotary(ConfigReader& config, const DecoderSpec& spec,
                       const RotaryDefaults& defaults, std::vector<std::string>& notes) {
  RotarySpec rotary{.theta = config.positive(defaults.theta_key, defaults.theta),
                    .interleaved = defaults.interleaved};
  const bool rotates_share = !defaults.share_key.empty();
  if (!rotates_share) config.expect("partial_rotary_factor", 1);
  double share = rotates_share ? config.number(defaults.share_key, defaults.share) : 1;
  const bool has_scaling = has_members(config, kScaling);
  const bool has_parameters = has_members(config, kParameters);
  if (has_scaling && has_parameters) {
    notes.emplace_back(
        "config.json has rope_scaling and rope_parameters: rope_scaling replaces the other, as in "
        "transformers");
  }
  if (has_scaling || has_parameters) {
    const char* key = has_scaling ? kScaling : kParameters;
    const double theta = rotary.theta;
    const bool has_theta = config.object().find(defaults.theta_key) != nullptr;
    read_keys(RotaryKeys(config.object().object(key)), spec, defaults, rotary, share);
    if (has_theta && theta != rotary.theta) {
      notes.push_back("config.json has " + defaults.theta_key + " and another rope_theta in " +
                      key + ": the second counts");
    }
  }
  rotary.dims = rotated_dims(config, rotates_share ? defaults.share_key : "head_dim", share, spec);
  return rotary;
}

std::vector<RotarySpec> read_two_rotaries(ConfigReader& config, const DecoderSpec& spec,
                                          std::vector<std::string>& notes) {
  RotarySpec sliding{.theta = config.positive("rope_local_base_freq", 10'000)};
  RotarySpec full{.theta = config.positive("rope_theta", 1'000'000)};
  const RotaryDefaults defaults;
  double share = 1;
  std::optional<RotaryKeys> full_keys;
  if (has_members(config, kScaling)) {
    ObjectReader scaling = config.object().object(kScaling);
    if (scaling.find("type") != nullptr && scaling.find("rope_type") == nullptr &&
        scaling.string("type") != "default") {
      scaling.fail_at("type", describe(*scaling.find("type")) +
                                  " is passed over by transformers; name it rope_type");
    }
    full_keys.emplace(std::move(scaling));
  }
  if (has_members(config, kParameters)) {
    if (full_keys) {
      notes.emplace_back(
          "config.json has rope_scaling and rope_parameters: rope_scaling counts for the layers "
          "without a window, as in transformers");
    }
    ObjectReader parameters = config.object().object(kParameters);
    if (parameters.find("sliding_attention") != nullptr)
      read_keys(RotaryKeys(parameters.object("sliding_attention")), spec, defaults, sliding, share);
    if (parameters.find("full_attention") != nullptr) {
      ObjectReader object = parameters.object("full_attention");
      if (full_keys) {
        full_keys->add(std::move(object));
      } else {
        full_keys.emplace(std::move(object));
      }
    }
    ConfigReader(std::move(parameters)).finish("gemma3_text's rotary positions");
  }
  if (full_keys) read_keys(std::move(*full_keys), spec, defaults, full, share);
  sliding.dims = rotated_dims(config, "head_dim", 1, spec);
  full.dims = sliding.dims;
  return {sliding, full};
}

}  // namespace pdl
