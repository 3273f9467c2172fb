#include "adapter_config.h"

#include <nlohmann/json.hpp>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/json.h"

namespace pdl {
namespace {

constexpr const char* kFile = "adapter_config.json";

// Keys that change nothing of an adapter that has been trained.
constexpr const char* kWithoutEffect[] = {
    "auto_mapping", "base_model_name_or_path", "fan_in_fan_out", "inference_mode", "megatron_core",
    "peft_version", "qalora_group_size",       "revision",       "task_type",      "lora_dropout"};

bool is_empty(const JsonValue& value) {
  using Kind = JsonValue::Kind;
  if (value.is(Kind::kNull)) return true;
  if (value.is(Kind::kBoolean)) return !value.boolean();
  return (value.is(Kind::kArray) || value.is(Kind::kObject)) && value.items().empty();
}

std::vector<std::string> read_targets(ObjectReader& object) {
  const JsonValue& value = object.required("target_modules");
  if (value.is_string()) {
    if (value.text() != "all-linear")
      object.fail_at("target_modules",
                     "is an expression, which is not supported; list the modules");
    return {value.text()};
  }
  std::vector<std::string> targets;
  for (const JsonValue& item : value.items()) {
    if (!item.is_string()) object.fail_at("target_modules", "is not a list of names");
    targets.push_back(item.text());
  }
  if (targets.empty()) object.fail_at("target_modules", "names no module");
  return targets;
}

// Other initialisations take their start out of the matrix, which PEFT does each time it loads
// them.
void check_initialisation(ObjectReader& object) {
  constexpr const char* kKey = "init_lora_weights";
  const JsonValue* value = object.find(kKey);
  if (value == nullptr || !value->is_string()) return;
  const std::string& name = value->text();
  if (name != "gaussian" && name != "orthogonal" && name != "eva")
    object.fail_at(kKey, describe(*value) + " changes the matrix below, which is not supported");
}

}  // namespace

AdapterConfig read_adapter_config(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kFile;
  const JsonBlame blame = JsonBlame::of<ModelError>("adapter '" + folder.string() +
                                                    "' cannot be used: adapter_config.json: ");
  const JsonValue root = parse_json(read_file<ModelError>("file", path), JsonRules{}, blame);
  ObjectReader object(root, blame);
  if (object.string("peft_type") != "LORA")
    object.fail_at("peft_type", describe(*object.find("peft_type")) + " is not \"LORA\"");
  AdapterConfig config;
  config.rank = object.integer("r", 1, 1 << 16);
  config.alpha = object.number("lora_alpha");
  if (!(config.alpha > 0)) object.fail_at("lora_alpha", "is not above 0");
  config.target_modules = read_targets(object);
  config.scales_by_root = object.boolean_or("use_rslora", false);
  if (object.find("bias") != nullptr && object.string("bias") != "none")
    object.fail_at("bias", describe(*object.find("bias")) + " is not supported");
  check_initialisation(object);
  for (const char* key : kWithoutEffect) object.ignore(key);
  for (const auto& [key, value] : object.unasked()) {
    if (!is_empty(*value)) object.fail_at(key, describe(*value) + " is not supported");
  }
  return config;
}

void write_adapter_config(const std::filesystem::path& folder, const AdapterConfig& config,
                          const std::filesystem::path& base, bool fan_in_fan_out) {
  nlohmann::ordered_json json;
  json["base_model_name_or_path"] = base.string();
  json["bias"] = "none";
  json["fan_in_fan_out"] = fan_in_fan_out;
  json["inference_mode"] = true;
  json["init_lora_weights"] = true;
  json["lora_alpha"] = config.alpha;
  json["lora_dropout"] = config.dropout;
  json["peft_type"] = "LORA";
  json["r"] = config.rank;
  if (config.target_modules == std::vector<std::string>{"all-linear"}) {
    json["target_modules"] = "all-linear";
  } else {
    json["target_modules"] = config.target_modules;
  }
  json["task_type"] = "CAUSAL_LM";
  json["use_dora"] = false;
  json["use_rslora"] = false;
  write_file_durably(folder / kFile, json.dump(2) + "\n");
}

}  // namespace pdl
