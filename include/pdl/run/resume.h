// Which checkpoint a run goes on from, and whether it may.
#pragma once

#include <filesystem>
#include <optional>

#include "pdl/checkpoint/records/trainer_state.h"
#include "pdl/config/run_config.h"

namespace pdl {

// The checkpoint that resume_from_checkpoint names: "auto" gives the newest undamaged one of
// output_dir, with a warning for each damaged newer one, or none in a folder without checkpoints;
// "never" gives none. Throws ConfigError for "never" with an output_dir that is not empty,
// CheckpointError if there are checkpoints and none is good.
std::optional<std::filesystem::path> find_checkpoint(const RunConfig& config);

// Refuses to go on if what decides data order, targets or weights has changed since `before`:
// ConfigError for a key, ModelError for the model or tokenizer, DataError for the files or the
// frequency table. Logs what may and did change.
void require_same_run(const RunIdentity& before, const RunIdentity& now,
                      const std::filesystem::path& checkpoint);

}  // namespace pdl
