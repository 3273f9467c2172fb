#include "sweep_config.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/config/config_table.h"
#include "pdl/config/load_config.h"
#include "pdl/run/chat_date.h"
#include "pdl/run/run_folder.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

// The comparison of the runs lets them differ, too.
constexpr std::array<std::string_view, 9> kFreeKeys = {"output_dir",
                                                       "num_threads",
                                                       "device",
                                                       "logging_steps",
                                                       "save_steps",
                                                       "save_total_limit",
                                                       "resume_from_checkpoint",
                                                       "tensorboard",
                                                       "max_minutes"};

bool is_free(const std::string& key) {
  return key.starts_with("sample_") ||
         std::find(kFreeKeys.begin(), kFreeKeys.end(), key) != kFreeKeys.end();
}

void require_files(const std::string& key, const std::vector<std::string>& files) {
  if (std::find(files.begin(), files.end(), "-") == files.end()) return;
  throw ConfigError(key + ": \"-\" can be read by one run alone; give a sweep files");
}

}  // namespace

void require_sweepable(const RunConfig& config) {
  const std::string& resume = config.checkpoint.resume_from_checkpoint;
  if (resume != "auto") {
    throw ConfigError(
        "resume_from_checkpoint: " + shown(resume) +
        " does not go with a sweep, which goes on where it was stopped; use \"auto\"");
  }
  // Without the grid a run writes no documents.jsonl.
  const ConfigKey* grid = find_config_key("eval_bias_grid");
  if (grid != nullptr && !is_set(grid->get(config))) {
    throw ConfigError(
        "eval_bias_grid: \"\" does not go with a sweep, which compares its runs by that grid");
  }
  require_files("train_files", config.train_files);
  require_files("eval_files", config.eval_files);
  require_files("pdl_reference_files", config.pdl_reference_files);
  std::error_code ignored;
  if (fs::exists(RunFolder(config.output_dir).frequency(), ignored)) {
    throw ConfigError("output_dir '" + config.output_dir.string() +
                      "' has the files of a run; choose another one for a sweep");
  }
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
