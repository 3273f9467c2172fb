#include "run_list.h"

#include <algorithm>
#include <string>
#include <tuple>

#include "pdl/base/error.h"

namespace pdl {

std::vector<ComparedRun> load_comparable_runs(std::vector<std::filesystem::path> folders) {
  if (folders.empty()) throw ConfigError("there is no run to compare");
  std::sort(folders.begin(), folders.end());  // so that the same problem is found first
  std::vector<ComparedRun> runs;
  for (const std::filesystem::path& folder : folders) runs.push_back(load_compared_run(folder));
  std::stable_sort(runs.begin(), runs.end(), [](const ComparedRun& one, const ComparedRun& other) {
    return std::tuple(one.alpha, one.learning_rate, one.seed) <
           std::tuple(other.alpha, other.learning_rate, other.seed);
  });
  for (const ComparedRun& run : runs) require_comparable(runs.front(), run);
  return runs;
}

void refuse_twice(const ComparedRun& one, const ComparedRun& other, const std::string& what) {
  throw ConfigError("there are two runs with " + what + ": '" + one.folder.string() + "' and '" +
                    other.folder.string() + "'; give one of them");
}

}  // namespace pdl
