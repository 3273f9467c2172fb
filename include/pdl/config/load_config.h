// Turns run.json and flags into a RunConfig, and back. All problems of a config are reported
// together.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/config/run_config.h"

namespace pdl {

// A flag `--key value…` as it was typed.
struct FlagSetting {
  std::string key;
  std::vector<std::string> values;
  std::string shown_as = {};  // in messages, where it is not "--key" that was typed
};

// Reads `file`, a flat JSON object of at most 1 MiB with comments (empty path: flags only), then
// `flags`, which override it; repeated flags of the same list key add up. A list may be given as
// one string, and "" is the empty list. A value in the file must have the right type and range even
// if a flag replaces it. Only the value that counts must have globs that match. Paths in the file
// are relative to its folder, paths in flags to the working directory; the result holds absolute,
// lexically normal paths. Only globs are looked up in the file system: a plain path that does not
// exist is reported by the code that opens it.
//
// `required_keys` must be given and not be empty. Relations between keys that matter only in
// training are checked if "train_files" is among them.
//
// Throws ConfigError. Its message is one line "<file>: <key>: <value> <what is wrong>; <what is
// allowed>", or "<file>: N problems" and a line for each; a key of a flag appears as "--key".
RunConfig load_config(const std::filesystem::path& file, const std::vector<FlagSetting>& flags,
                      const std::vector<std::string_view>& required_keys);

// Returns the config with every key, as JSON text that load_config() and load_config_text() read
// back to an equal config. Numbers are exact.
std::string config_to_json(const RunConfig& config);

// Reads the text of config_to_json(), e.g. from a checkpoint. No key is required, and paths are
// taken as they are, without a look at the file system. `name` stands for the file in messages.
// Throws ConfigError.
RunConfig load_config_text(std::string_view text, const std::string& name);

// Returns the names of the keys in which two configs differ, in the order of the table.
std::vector<std::string> changed_keys(const RunConfig& before, const RunConfig& after);

// Returns true if a resumed run may have another value of the key, because the key decides neither
// data order, targets nor weights. False for an unknown key.
bool may_change_on_resume(std::string_view key);

}  // namespace pdl
