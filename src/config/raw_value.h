// Converts what a file or a flag says to the value of a key. Private to the module.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "json_object.h"
#include "pdl/config/config_table.h"

namespace pdl {

// Either a value of the key's kind that passed value_problem(), or nothing and what is wrong.
struct Conversion {
  std::optional<ConfigValue> value;
  std::string problem;
};

Conversion convert_json(const ConfigKey& key, const JsonEntry& entry);

// `values` are all values of the flag, in order. A bool is true or false; a number has nothing
// before or after it; for a list a single "" is the empty list.
Conversion convert_flag(const ConfigKey& key, const std::vector<std::string>& values);

}  // namespace pdl
