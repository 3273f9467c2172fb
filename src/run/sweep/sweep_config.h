// The configs of the cells of a sweep. Private to the module.
#pragma once

#include <filesystem>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/sweep/sweep_record.h"

namespace pdl {

// Throws ConfigError for a config with which no sweep can be made: what cannot be read or begun
// twice, a grid of tau by which runs cannot be compared, and an output_dir that is a run's.
void require_sweepable(const RunConfig& config);

// Throws ConfigError if all cells have alpha 0, so that there would be nothing to compare.
void require_two_alphas(const SweepRecord& record);

// Returns the config of a cell of the sweep in config.output_dir.
RunConfig cell_config(const RunConfig& config, const SweepCell& cell);

// Returns the config with the chat_date of the cells that are there, or else of today: all cells
// have the same, whenever they begin.
RunConfig with_date_of_cells(const RunConfig& config, const SweepRecord& record);

// Throws ConfigError, with the key's name, if a cell that is there was trained with another config
// than it would be now. A key that changes no figure of a finished run may differ.
void require_same_config(const RunConfig& config, const SweepRecord& record);

}  // namespace pdl
