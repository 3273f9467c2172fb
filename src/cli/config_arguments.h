// The arguments `--config run.json` and the flags of its keys, for a command.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/config/load_config.h"

namespace pdl {

struct ConfigArguments {
  std::string file;  // empty: none given
  std::vector<FlagSetting> settings;
};

// Adds --config and the flags of `keys` (all if empty) to `command`. Parsing the command line fills
// the result.
std::shared_ptr<ConfigArguments> add_config_arguments(CLI::App& command,
                                                      std::span<const std::string_view> keys = {});

// The keys that decide how text becomes tokens, and num_threads.
std::span<const std::string_view> text_keys();

}  // namespace pdl
