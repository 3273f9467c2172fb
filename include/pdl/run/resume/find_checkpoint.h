// Finds the checkpoint from which a run resumes.
#pragma once

#include <filesystem>
#include <optional>

#include "pdl/config/run_config.h"

namespace pdl {

// Returns the checkpoint that resume_from_checkpoint names. "auto" gives the newest undamaged one
// of output_dir, with a warning that names the newer damaged ones, or none if there are no
// checkpoints. "never" gives none. Throws ConfigError for "never" with an output_dir that is not
// empty, CheckpointError if there are checkpoints but all are damaged.
std::optional<std::filesystem::path> find_checkpoint(const RunConfig& config);

}  // namespace pdl
