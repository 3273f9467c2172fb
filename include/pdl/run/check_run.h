// Checks everything that a job needs, without training.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "pdl/config/run_config.h"
#include "pdl/metrics/observer.h"
#include "pdl/run/dataset.h"
#include "pdl/trainer/training_step.h"

namespace pdl {

// What check_job() has found.
struct CheckReport {
  std::optional<std::filesystem::path> checkpoint;  // from which the job would resume
  StepTrial largest_batch;
  int64_t state_bytes = 0;  // weights, gradients and optimiser state
};

// Loads the job and the checkpoint from which it would resume, passes the start report to
// `observer`, and tries the largest micro-batch and a write in output_dir, where nothing is left.
// Throws what the job would before its first step, except that another process may be training in
// output_dir.
CheckReport check_job(const RunConfig& config, RunObserver& observer,
                      const ProgressFactory& progress = {});

}  // namespace pdl
