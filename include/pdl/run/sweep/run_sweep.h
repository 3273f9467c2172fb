// Trains the cells of a sweep, each in a process of its own, and compares them at the end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "pdl/comparison/comparison.h"
#include "pdl/config/run_config.h"
#include "pdl/sweep/sweep_plan.h"
#include "pdl/trainer/run_control.h"

namespace pdl {

// What a sweep trains, and how.
struct SweepOptions {
  RunConfig config;  // of every cell but for alpha, seed, rate and folder; output_dir: the sweep's
  SweepGrid grid;
  SweepShard shard;
  int64_t jobs = 1;         // cells at a time
  bool keep_going = false;  // whether further cells are begun after one has failed
  std::filesystem::path program = "/proc/self/exe";  // that `train --config FILE` trains with
};

// How a sweep has ended.
struct SweepResult {
  ExitCode exit_code = ExitCode::kOk;    // or that of the signal that has stopped it
  std::optional<Comparison> comparison;  // if every cell of the sweep is finished
};

// Trains those cells of the shard that are not finished, in order. Whatever moment this process or
// a cell is killed at, calling it again goes on, and every file of a cell is in the end that of the
// run that `train` makes with the same config, alpha, seed and rate, but for times. output_dir gets
// sweep.json, which other shards write too, and, when every cell of the sweep is finished,
// comparison.json and report.html. Logs a line when a cell begins and ends.
//
// `control` is told when a cell may be running; its requests to stop and to save are passed on to
// the cells.
//
// Throws ConfigError for a config with which no sweep can be made or compared, no alpha but 0,
// another config than that of the cells which are there, or if another process trains a cell;
// DataError for a damaged sweep.json, and before the next cell if a finished one was evaluated on
// one half of the documents alone, so that none could be compared; StorageError. After a cell has
// failed and the others that ran have ended, throws Error with the largest exit code, which names
// the cell and its log. What ends by an exception first has the running cells save and end.
SweepResult run_sweep(const SweepOptions& options, RunControl& control);

}  // namespace pdl
