// Everything that a job would need, without training.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "pdl/config/run_config.h"
#include "pdl/metrics/observer.h"
#include "pdl/run/dataset.h"
#include "pdl/trainer/training_step.h"

namespace pdl {

struct CheckReport {
  std::optional<std::filesystem::path> checkpoint;  // that the job would go on from
  StepTrial largest_batch;
  int64_t state_bytes = 0;  // of weights, gradients and optimiser state
};

// Loads the job, tells `observer` the start report, tries the largest micro-batch and a write in
// output_dir. Nothing is left there. Throws what the job would.
CheckReport check_job(const RunConfig& config, RunObserver& observer,
                      const ProgressFactory& progress = {});

}  // namespace pdl
