// The keys of run.json as command-line flags.
#pragma once

#include <CLI/CLI.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "pdl/config/load_config.h"

namespace pdl {

// Adds `--key VALUE` to `app` for each of `keys` (all if empty), with help, default and group from
// the table of keys and in its order. A list key takes one value or more and may be repeated. When
// `app` parses, it appends the user's values unparsed to `settings`, which must outlive that.
void add_config_flags(CLI::App& app, std::span<const std::string_view> keys,
                      std::vector<FlagSetting>& settings);

}  // namespace pdl
