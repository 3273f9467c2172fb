// The runs that are compared, in an order of their own. Private to the module.
#pragma once

#include <filesystem>
#include <vector>

#include "compared_run.h"

namespace pdl {

// Loads the runs, ordered by alpha, learning rate and seed, whatever the order of the folders.
// Throws what load_compared_run() and require_comparable() throw, and ConfigError if there is none.
std::vector<ComparedRun> load_comparable_runs(std::vector<std::filesystem::path> folders);

// Throws ConfigError that says that both runs have `what`.
[[noreturn]] void refuse_twice(const ComparedRun& one, const ComparedRun& other,
                               const std::string& what);

}  // namespace pdl
