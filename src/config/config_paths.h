// Makes the paths of a config absolute and expands globs. Private to the module.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pdl/config/config_table.h"

namespace pdl {

// Returns `text` resolved against the absolute `folder`, lexically normal, without a trailing
// slash; "" stays "".
std::string resolve_path(const std::filesystem::path& folder, const std::string& text);

// Resolves each entry of a path list, except the words of `rules`. An entry that holds *, ? or [
// and does not itself exist is replaced by its matches, sorted by byte value. Returns "" or what is
// wrong with an entry.
std::string expand_paths(const std::filesystem::path& folder, const KeyRules& rules,
                         const std::vector<std::string>& entries, std::vector<std::string>& paths);

// Returns a message that names a file which `paths` hold more than once, under whatever name and
// except the words of `rules`, and says that it counts as often; "" if there is none.
std::string repeated_file(const KeyRules& rules, const std::vector<std::string>& paths);

}  // namespace pdl
