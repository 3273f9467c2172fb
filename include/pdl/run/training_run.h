// A training run from a config to a summary, without a command line.
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

// What a run is given beside its config.
struct RunContext {
  RunControl* control = nullptr;              // null: nothing stops the run
  Profiler* profiler = nullptr;               // null: no profile
  std::filesystem::path profile_folder = {};  // where trace.json goes; exists
  ProgressFactory progress = {};
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
};

// Trains as `config` says, in its output_dir, from the beginning or from the checkpoint that
// resume_from_checkpoint names. Returns what summary.json holds then, or nothing, with nothing
// written, for a run that was complete before. Throws Error by blame; what is refused before the
// first step creates nothing.
std::optional<RunSummary> run_training(const RunConfig& config, const RunContext& context = {});

}  // namespace pdl
