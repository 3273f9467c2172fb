// What a result depends on beside its inputs.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace pdl {

// (component, version), this program first.
std::vector<std::pair<std::string, std::string>> component_versions();

// The commit that this program was built from.
std::string git_hash();

}  // namespace pdl
