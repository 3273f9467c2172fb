#include "sweep_config.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/comparison/bias_sums.h"
#include "pdl/comparison/comparison.h"
#include "pdl/config/bias_grid.h"
#include "pdl/config/config_table.h"
#include "pdl/config/load_config.h"
#include "pdl/run/chat_date.h"
#include "pdl/run/run_folder.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

// What is a cell's own follows from its folder.
constexpr std::array<std::string_view, 3> kCellKeys = {"pdl_alpha", "seed", "learning_rate"};

// A key in which neither the comparison of the runs nor the sweep minds a difference.
bool is_free(const std::string& key) {
  return may_differ_between_runs(key) &&
         std::find(kCellKeys.begin(), kCellKeys.end(), key) == kCellKeys.end();
}

void require_files(const std::string& key, const std::vector<std::string>& files) {
  if (std::find(files.begin(), files.end(), "-") == files.end()) return;
  throw ConfigError(key + ": \"-\" can be read by one run alone; give a sweep files");
}

void require_bias_grid(const std::string& grid) {
  const std::string name = "eval_bias_grid";
  // Without a grid a run writes no documents.jsonl.
  const std::string problem =
      grid.empty() ? " does not go with a sweep, which compares its runs by that grid"
      : !index_of_tau_zero(parse_bias_grid(grid, name))
          ? " has no tau 0, which a sweep needs: it stands for the models as they were trained"
          : "";
  if (problem.empty()) return;
  throw ConfigError(name + ": " + shown(grid) + problem + "; give one such as -1:1:0.125");
}

}  // namespace

void require_sweepable(const RunConfig& config) {
  const std::string& resume = config.checkpoint.resume_from_checkpoint;
  if (resume != "auto") {
    throw ConfigError(
        "resume_from_checkpoint: " + shown(resume) +
        " does not go with a sweep, which goes on where it was stopped; use \"auto\"");
  }
  require_bias_grid(config.evaluation.eval_bias_grid);
  require_files("train_files", config.train_files);
  require_files("eval_files", config.eval_files);
  require_files("pdl_reference_files", config.pdl_reference_files);
  std::error_code ignored;
  if (fs::exists(RunFolder(config.output_dir).frequency(), ignored)) {
    throw ConfigError("output_dir '" + config.output_dir.string() +
                      "' has the files of a run; choose another one for a sweep");
  }
}

void require_two_alphas(const SweepRecord& record) {
  const bool has_other = std::ranges::any_of(
      record.cells(), [](const CellRecord& cell) { return cell.cell.alpha != 0; });
  if (has_other) return;
  throw ConfigError(
      "pdl_alpha: 0 is the only alpha of this sweep, which compares others with it; give others, "
      "too, such as 0.25,0.5");
}

RunConfig cell_config(const RunConfig& config, const SweepCell& cell) {
  RunConfig own = config;
  own.weights.pdl_alpha = cell.alpha;
  own.training.seed = cell.seed;
  own.schedule.learning_rate = cell.learning_rate;
  own.output_dir = config.output_dir / cell.folder;
  return own;
}

RunConfig with_date_of_cells(const RunConfig& config, const SweepRecord& record) {
  if (!config.text.chat_date.empty()) return config;
  RunConfig dated = config;
  std::error_code ignored;
  for (const CellRecord& cell : record.cells()) {
    const fs::path folder = config.output_dir / cell.cell.folder;
    if (!fs::exists(RunFolder(folder).config(), ignored)) continue;
    dated.output_dir = folder;
    break;
  }
  dated = with_chat_date(dated);
  dated.output_dir = config.output_dir;
  return dated;
}

void require_same_config(const RunConfig& config, const SweepRecord& record) {
  std::error_code ignored;
  for (const CellRecord& cell : record.cells()) {
    const RunConfig now = cell_config(config, cell.cell);
    const fs::path file = RunFolder(now.output_dir).config();
    if (!fs::exists(file, ignored)) continue;
    const RunConfig before =
        load_config_text(read_file<ConfigError>("config file", file), file.string());
    std::string refused;
    for (const std::string& key : changed_keys(before, now)) {
      if (!is_free(key)) refused += (refused.empty() ? "" : ", ") + key;
    }
    if (refused.empty()) continue;
    throw ConfigError("cell '" + now.output_dir.string() + "' was begun with another " + refused +
                      "; put it back or choose another output_dir");
  }
}

}  // namespace pdl
