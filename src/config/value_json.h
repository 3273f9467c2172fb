// Writes config values as JSON. Private to the module.
#pragma once

#include <nlohmann/json.hpp>

#include "pdl/config/config_table.h"

namespace pdl {

inline nlohmann::ordered_json to_json(const ConfigValue& value) {
  return std::visit([](const auto& held) { return nlohmann::ordered_json(held); }, value);
}

}  // namespace pdl
