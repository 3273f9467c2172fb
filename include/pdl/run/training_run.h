// Runs training from a config to a summary, without a command line.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "pdl/config/run_config.h"
#include "pdl/metrics/metrics.h"
#include "pdl/metrics/profiler.h"
#include "pdl/run/dataset.h"
#include "pdl/trainer/run_control.h"

namespace pdl {

// The inputs of a run besides its config.
struct RunContext {
  RunControl* control = nullptr;              // null: nothing stops the run
  Profiler* profiler = nullptr;               // null: no profile
  std::filesystem::path profile_folder = {};  // for trace.json; must exist
  ProgressFactory progress = {};
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
};

// Trains as `config` says, in its output_dir, from the beginning or from the checkpoint that
// resume_from_checkpoint names. Returns the content of summary.json. For a run that was complete
// before, returns nothing and writes nothing. Throws a subclass of Error by blame; a run refused
// before its first step leaves nothing on disk.
std::optional<RunSummary> run_training(const RunConfig& config, const RunContext& context = {});

}  // namespace pdl
