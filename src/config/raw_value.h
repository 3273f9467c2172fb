// From what a file or a flag says to the value of a key. Private to the module.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "json_object.h"
#include "pdl/config/config_table.h"

namespace pdl {

// A value of the alternative that the key's kind asks for and that passed value_problem(), or
// nothing and what is wrong.
struct Conversion {
  std::optional<ConfigValue> value;
  std::string problem;
};

Conversion convert_json(const ConfigKey& key, const JsonEntry& entry);

// `values` are all that the flag got, in order. true and false for a bool; one number, nothing
// before or after it; for a list a single "" is the empty list.
Conversion convert_flag(const ConfigKey& key, const std::vector<std::string>& values);

// The key that `name` is probably meant to be: one with few edits, or one that contains it; ""
// if none is near.
std::string nearest_key(const std::string& name);

}  // namespace pdl
