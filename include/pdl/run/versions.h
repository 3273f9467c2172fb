// Versions on which a result depends besides its inputs.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace pdl {

// Returns pairs (component, version), this program first.
std::vector<std::pair<std::string, std::string>> component_versions();

// Returns the commit from which this program was built.
std::string git_hash();

}  // namespace pdl
