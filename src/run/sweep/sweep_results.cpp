#include "sweep_results.h"

#include <algorithm>
#include <vector>

#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/comparison/learning_rates.h"
#include "pdl/report/report.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

bool has_one_rate(const SweepRecord& record) {
  const std::vector<CellRecord>& cells = record.cells();
  return std::ranges::all_of(cells, [&](const CellRecord& cell) {
    return cell.cell.learning_rate == cells.front().cell.learning_rate;
  });
}

// The runs that are compared: one rate an alpha.
std::vector<fs::path> compared_folders(const SweepFolder& folder, const SweepRecord& record) {
  std::vector<fs::path> all;
  for (const CellRecord& cell : record.cells()) all.push_back(folder.path() / cell.cell.folder);
  if (has_one_rate(record)) return all;
  std::vector<fs::path> chosen;
  for (const ChosenRate& rate : choose_learning_rates(all)) {
    log_info("alpha " + shortest_decimal(rate.alpha) + " is compared with its best learning_rate " +
             shortest_decimal(rate.learning_rate));
    chosen.insert(chosen.end(), rate.folders.begin(), rate.folders.end());
  }
  return chosen;
}

}  // namespace

Comparison write_sweep_results(const SweepFolder& folder, const SweepRecord& record) {
  const std::vector<fs::path> folders = compared_folders(folder, record);
  const Comparison comparison = compare_runs(folders);
  write_file_durably(folder.comparison(), to_json(comparison));
  write_report(folders, folder.report());
  log_info("wrote " + folder.comparison().string() + " and " + folder.report().string());
  return comparison;
}

}  // namespace pdl
