#include "pdl/model/families/read_decoder_spec.h"

#include <utility>

#include "config_reader.h"
#include "families.h"
#include "pdl/base/error.h"
#include "pdl/base/json.h"

namespace pdl {
namespace {

std::string listed(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

}  // namespace

FamilyConfig read_decoder_spec(std::string_view text, const std::string& name) {
  const JsonBlame blame = JsonBlame::of<ModelError>(
      "model '" + name + "' cannot be trained natively: config.json: ", "it");
  const JsonValue root = parse_json(text, {.max_values = 1 << 20}, blame);
  ConfigReader config{ObjectReader(root, blame)};
  FamilyConfig result;
  result.spec.family = config.object().string("model_type");
  const auto found = families().find(result.spec.family);
  if (found == families().end()) {
    config.fail("model_type", "is not one of " + listed(native_families()) +
                                  "; export it with scripts/export_model.py");
  }
  if (config.object().find("quantization_config") != nullptr)
    config.object().fail_at("quantization_config", "is there: quantized weights are not trained");
  config.refuse_true("is_encoder_decoder");
  found->second({config, result.spec, result.notes});
  config.finish(result.spec.family);
  return result;
}

const std::vector<std::string>& native_families() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const auto& [name, read] : families()) names.push_back(name);
    return names;
  }();
  return kNames;
}

}  // namespace pdl
