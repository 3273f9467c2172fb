// Paths of a config: made absolute, globs expanded. Private to the module.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pdl/config/config_table.h"

namespace pdl {

// `text` relative to the absolute `folder`, lexically normal, without a trailing slash; "" stays
// "".
std::string resolve_path(const std::filesystem::path& folder, const std::string& text);

// The files of a path list: each entry resolved, but for the words of `rules`; one that holds *, ?
// or [ and does not itself exist is replaced by its matches, sorted by byte value. Returns "" or
// what is wrong with an entry.
std::string expand_paths(const std::filesystem::path& folder, const KeyRules& rules,
                         const std::vector<std::string>& entries, std::vector<std::string>& paths);

}  // namespace pdl
