#include "sweep_results.h"

#include <vector>

#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/base/text_format.h"
#include "pdl/comparison/learning_rates.h"
#include "pdl/report/report.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

// The runs that are compared: one rate an alpha.
std::vector<fs::path> compared_folders(const SweepFolder& folder, const SweepRecord& record) {
  std::vector<fs::path> all;
  for (const CellRecord& cell : record.cells()) all.push_back(folder.path() / cell.cell.folder);
  const RunChoice choice = choose_runs(all);
  for (const ChosenRate& rate : choice.rates) {
    log_info("alpha " + shortest_decimal(rate.alpha) + " is compared with its best learning_rate " +
             shortest_decimal(rate.learning_rate));
  }
  return choice.folders;
}

}  // namespace

Comparison write_sweep_results(const SweepFolder& folder, const SweepRecord& record) {
  const std::vector<fs::path> folders = compared_folders(folder, record);
  const Comparison comparison = compare_runs(folders);
  folder.write([&] {
    write_file_durably(folder.comparison(), to_json(comparison));
    write_report(folders, folder.report());
  });
  log_info("wrote " + folder.comparison().string() + " and " + folder.report().string());
  return comparison;
}

}  // namespace pdl
