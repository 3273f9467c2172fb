// The text of a config file as a flat list of keys and values. Private to the module.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/config/config_table.h"

namespace pdl {

struct JsonEntry {
  std::string key;
  // Nothing for null, an object, or a list that holds anything but strings. An integer beyond
  // int64_t is a double.
  std::optional<ConfigValue> value;
  std::string text;           // the value for a message, shortened
  bool is_duplicate = false;  // a key that came before
};

struct JsonObject {
  std::vector<JsonEntry> entries;
  // What ended the reading before the end, with line and column; "" if the text was read whole.
  std::string problem;
};

// Reads UTF-8 JSON with // and /* */ comments and an optional byte order mark. Neither recursion
// nor memory depend on how deeply the text is nested.
JsonObject read_json_object(std::string_view text);

}  // namespace pdl
