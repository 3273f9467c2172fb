// A finished run as the comparison sees it. Private to the module.
#pragma once

#include <cstdint>
#include <filesystem>

#include "pdl/base/json.h"
#include "pdl/comparison/bias_sums.h"

namespace pdl {

// A run that has finished, with finite figures, and targets in documents of even and of odd
// numbers.
struct ComparedRun {
  std::filesystem::path folder;
  double alpha = 0;
  int64_t seed = 0;
  double learning_rate = 0;
  JsonValue config;  // config.json, an object
  RunDocuments documents;
};

// Reads config.json alone: there are no documents, and the run need not have finished. Throws
// DataError for a file that is missing or damaged.
ComparedRun load_run_config(const std::filesystem::path& folder);

// Throws ConfigError for a run that has not finished; DataError for a file that is missing or
// damaged, a figure that is not finite, and targets in only one half of the documents.
ComparedRun load_compared_run(const std::filesystem::path& folder);

// Throws ConfigError, which names the key, if the runs differ in what both must share: every key of
// the config but those in which compared runs may differ, and the documents of eval_files with
// their targets.
void require_comparable(const ComparedRun& one, const ComparedRun& other);

}  // namespace pdl
