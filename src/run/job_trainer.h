// The trainer of a job, for running it and for checking it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "pdl/distributed/process_group.h"
#include "pdl/run/job.h"
#include "pdl/run/run_folder.h"
#include "pdl/run/training_run.h"
#include "pdl/trainer/trainer.h"

namespace pdl {

class JobTrainer {
 public:
  // All arguments must outlive this. Writes nothing.
  JobTrainer(Job& job, const RunFolder& folder, RunObserver& observer, const RunContext& context);

  Trainer& trainer() { return trainer_; }
  const RunIdentity& identity() const { return identity_; }

  // Resumes from a checkpoint. Throws as require_same_run() and Trainer::resume() do.
  void resume(const std::filesystem::path& checkpoint);

 private:
  RunIdentity identity_;
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<SamplePrompts> samples_;
  SingleProcessGroup group_;
  Trainer trainer_;
};

}  // namespace pdl
