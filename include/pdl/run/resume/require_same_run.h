// Refuses to resume what would be another run.
#pragma once

#include <filesystem>

#include "pdl/checkpoint/records/trainer_state.h"

namespace pdl {

// Throws if anything that decides data order, targets or weights has changed since `before`:
// ConfigError for a key, ModelError for the model or tokenizer, DataError for the files or the
// frequency table. Logs allowed changes.
void require_same_run(const RunIdentity& before, const RunIdentity& now,
                      const std::filesystem::path& checkpoint);

}  // namespace pdl
