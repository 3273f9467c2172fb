// What a sweep writes when every cell is finished. Private to the module.
#pragma once

#include "pdl/comparison/comparison.h"
#include "pdl/sweep/sweep_record.h"
#include "sweep_file.h"

namespace pdl {

// Writes comparison.json, as `compare --json` prints it, and report.html. Of several learning rates
// those count that choose_runs() chooses. Returns the comparison. Throws what compare_runs() and
// choose_runs() throw, and StorageError.
Comparison write_sweep_results(const SweepFolder& folder, const SweepRecord& record);

}  // namespace pdl
