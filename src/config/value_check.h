// Checks the value of one key and words what is allowed. Private to the module.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "pdl/config/config_table.h"

namespace pdl {

// The longest string, path or list entry: PATH_MAX of Linux.
inline constexpr size_t kMaxStringBytes = 4096;
// The longest regular expression.
inline constexpr size_t kMaxRegexBytes = 1000;

// Says what the value of the key must be, e.g. "an integer >= 1" or "one of "warn", "skip"".
std::string allowed_values(const ConfigKey& key);

// Returns what is wrong with `value`, which holds the alternative of key.kind; "" if nothing is.
std::string value_problem(const ConfigKey& key, const ConfigValue& value);

// Whether the text of a path key is one of its words.
bool is_word(const KeyRules& rules, const std::string& text);

// Returns what is wrong with the ending of a file of a path list; "" if nothing is.
std::string ending_problem(const ConfigKey& key, const std::vector<std::string>& paths);

}  // namespace pdl
