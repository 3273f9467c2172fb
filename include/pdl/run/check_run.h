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

// What a job's tensors take on its device, in bytes.
struct MemoryPlan {
  int64_t weights = 0;    // frozen ones included
  int64_t optimizer = 0;  // its state
  // The most at once for the largest batch beside these: activations, logits and gradients, of
  // which the later take the memory of the earlier.
  int64_t batch = 0;

  // Returns what all of it takes.
  int64_t sum() const { return weights + optimizer + batch; }
};

// What check_job() has found.
struct CheckReport {
  std::optional<std::filesystem::path> checkpoint;  // from which the job would resume
  StepTrial largest_batch;
  MemoryPlan memory;
};

// Loads the job and the checkpoint from which it would resume, passes the start report to
// `observer`, and tries the largest micro-batch and a write in output_dir, where nothing is left.
// Throws what the job would before its first step, except that another process may be training in
// output_dir.
CheckReport check_job(const RunConfig& config, RunObserver& observer,
                      const ProgressFactory& progress = {});

}  // namespace pdl
