// sweep.json: what a sweep has done and has still to do.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/sweep/sweep_plan.h"

namespace pdl {

// How far a cell has come.
enum class CellState { kWaiting, kRunning, kFinished, kTimeLimit, kInterrupted, kFailed };

// Returns the name in sweep.json: waiting, running, finished, time_limit, interrupted, failed.
std::string_view name_of(CellState state);

// A cell, and how its last start ended.
struct CellRecord {
  SweepCell cell;
  CellState state = CellState::kWaiting;
  std::optional<int> exit_code = std::nullopt;  // none while it waits or runs
};

// The content of sweep.json: the cells by alpha, learning rate and seed.
class SweepRecord {
 public:
  SweepRecord() = default;
  // Reads the text of a sweep.json; `path` is for messages. Throws DataError.
  SweepRecord(std::string_view text, const std::filesystem::path& path);

  // Returns what the constructor reads, as JSON and a newline.
  std::string json() const;

  // By alpha, then learning rate, then seed.
  const std::vector<CellRecord>& cells() const { return cells_; }
  // The largest exit code of the cells; 0 without any.
  int exit_code() const;

  // Adds those of `planned` that are not there, and drops the others that nobody has begun. Returns
  // the planned cells with the folders that they have here: a sweep of one rate keeps its folders
  // when another rate is added. Throws ConfigError for a cell whose folder another rate has.
  std::vector<SweepCell> add(const std::vector<SweepCell>& planned);

  // Sets state and exit code of a cell, which is added if it is not there.
  void set(const CellRecord& record);

 private:
  CellRecord* find(const SweepCell& cell);
  void insert(const CellRecord& record);

  std::vector<CellRecord> cells_;
};

}  // namespace pdl
