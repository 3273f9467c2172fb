// From run.json and flags to a RunConfig, and back. All problems of a config are reported together.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/config/run_config.h"

namespace pdl {

// `--key value…` as it was typed.
struct FlagSetting {
  std::string key;
  std::vector<std::string> values;
};

// Reads `file`, a flat JSON object of at most 1 MiB with comments (empty path: flags only), then
// `flags`, which win over it; settings of the same list key add up. A list may be given as one
// string, and "" is the empty list. The type and range of a value in the file must be right even
// if a flag replaces it; whether this version supports it and whether its globs match is asked
// only of the value that counts. Paths of the file are relative to its folder, paths of flags to
// the working directory; the result holds absolute, lexically normal paths. Only globs are looked
// up in the file system: that a plain path exists is for whoever opens it to find out.
//
// `required_keys` must be there and not be empty. Relations between keys that only training cares
// about are checked if "train_files" is among them.
//
// Throws ConfigError. Its message is one line "<file>: <key>: <value> <what is wrong>; <what is
// allowed>", or "<file>: N problems" and a line for each; a key of a flag appears as "--key".
RunConfig load_config(const std::filesystem::path& file, const std::vector<FlagSetting>& flags,
                      const std::vector<std::string_view>& required_keys);

// The config with every key, as JSON text that load_config() and load_config_text() read back to
// an equal one. Numbers are exact.
std::string config_to_json(const RunConfig& config);

// Reads the text of config_to_json(), e.g. out of a checkpoint: no key is required, and paths are
// taken as they stand, without looking at the file system. `name` stands for the file in messages.
// Throws ConfigError.
RunConfig load_config_text(std::string_view text, const std::string& name);

// The names of the keys in which two configs differ, in the order of the table.
std::vector<std::string> changed_keys(const RunConfig& before, const RunConfig& after);

// True if a resumed run may have another value of the key: it decides neither data order, targets
// nor weights. False for an unknown key.
bool may_change_on_resume(std::string_view key);

}  // namespace pdl
