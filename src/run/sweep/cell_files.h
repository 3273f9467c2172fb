// The files of a cell, as its sweep sees them. Private to the module.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "pdl/run/run_folder.h"

namespace pdl {

// The figures of summary.json that a sweep shows.
struct CellSummary {
  std::string status;  // of RunStatus
  std::optional<double> eval_ce;
  std::optional<double> eval_ppl;
  std::optional<double> rare_ce;  // of rare targets
};

// Returns nothing without a summary.json that can be read.
std::optional<CellSummary> read_cell_summary(const RunFolder& folder);

// True if another process trains in the folder.
bool is_locked(const std::filesystem::path& folder);

// True if the folder has the tokens of a run that has begun to train, so that they are complete.
bool has_tokens(const RunFolder& folder);

// Gives a folder the tokens and counts of another, as links where the file system has them and else
// as copies, written durably. What cannot be given is only made again by the run.
void lend_tokens(const RunFolder& from, const RunFolder& to);

}  // namespace pdl
