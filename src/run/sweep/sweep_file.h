// sweep.json in the folder of a sweep, which several shards write. Private to the module.
#pragma once

#include <filesystem>
#include <functional>

#include "pdl/metrics/run_files.h"
#include "pdl/sweep/sweep_record.h"

namespace pdl {

// The files of a sweep beside the folders of its cells.
class SweepFolder {
 public:
  explicit SweepFolder(std::filesystem::path output_dir) : path_(std::move(output_dir)) {}

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path record() const { return path_ / "sweep.json"; }
  std::filesystem::path comparison() const { return path_ / "comparison.json"; }
  std::filesystem::path report() const { return path_ / run_files::kReport; }

  // Reads sweep.json, lets `change` change it, and replaces it, while no other process does so.
  // Without the file the record is empty. Returns the new record. Throws DataError for a damaged
  // file, StorageError, and ConfigError if the lock is held for half a minute.
  SweepRecord update(const std::function<void(SweepRecord&)>& change) const;

  // Lets `write` write other files of the sweep, while no other process does so, and removes what
  // processes that died have left of such files. Throws StorageError, and ConfigError as update().
  void write(const std::function<void()>& write) const;

 private:
  std::filesystem::path path_;
};

}  // namespace pdl
