// A finished run as the comparison sees it. Private to the module.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "pdl/base/json.h"
#include "pdl/frequency/bands.h"
#include "pdl/metrics/document_figures.h"

namespace pdl {

// Targets whose training count is below this are rare. It is the lower end of a band.
inline constexpr int64_t kRareBelow = 500;

// The sums of ce over the targets of a set of documents.
struct CeSums {
  int64_t tokens = 0;
  int64_t rare_tokens = 0;
  std::vector<double> ce;       // one for each tau
  std::vector<double> rare_ce;  // of rare targets
};

// What documents.jsonl holds, without the ce of single bands.
struct RunDocuments {
  std::vector<double> taus;                                              // increasing
  std::vector<std::array<int64_t, kFrequencyBands.size()>> band_tokens;  // of each document
  std::vector<CeSums> sums;                                              // of each document
};

// `table` without what the rule does not need.
RunDocuments to_run_documents(const DocumentTable& table);

// The sums over the documents with even numbers (`parity` 0) or odd ones (1).
CeSums sum_half(const RunDocuments& documents, size_t parity);

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

// Throws ConfigError for a run that has not finished; DataError for a file that is missing or
// damaged, a figure that is not finite, and targets in only one half of the documents.
ComparedRun load_compared_run(const std::filesystem::path& folder);

// Throws ConfigError, which names the key, if the runs differ in what both must share: every key of
// the config but those in which compared runs may differ, and the documents of eval_files with
// their targets.
void require_comparable(const ComparedRun& one, const ComparedRun& other);

}  // namespace pdl
