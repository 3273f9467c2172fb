// Finds the checkpoint from which a run resumes, and checks that it may.
#pragma once

#include <filesystem>
#include <optional>

#include "pdl/checkpoint/records/trainer_state.h"
#include "pdl/config/run_config.h"

namespace pdl {

// Returns the checkpoint that resume_from_checkpoint names. "auto" gives the newest undamaged one
// of output_dir, with a warning for each newer damaged one, or none if there are no checkpoints.
// "never" gives none. Throws ConfigError for "never" with an output_dir that is not empty,
// CheckpointError if there are checkpoints but all are damaged.
std::optional<std::filesystem::path> find_checkpoint(const RunConfig& config);

// Throws if anything that decides data order, targets or weights has changed since `before`:
// ConfigError for a key, ModelError for the model or tokenizer, DataError for the files or the
// frequency table. Logs allowed changes.
void require_same_run(const RunIdentity& before, const RunIdentity& now,
                      const std::filesystem::path& checkpoint);

}  // namespace pdl
