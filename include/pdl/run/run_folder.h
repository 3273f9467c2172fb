// The files of a run in its output_dir, except checkpoints (checkpoint/checkpoint.h) and the final
// model (LanguageModel::save).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pdl/metrics/run_files.h"

namespace pdl {

// The folder need not exist.
class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path output_dir) : path_(std::move(output_dir)) {}

  // The output_dir itself, and its files.
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path config() const { return path_ / run_files::kConfig; }
  std::filesystem::path frequency() const { return path_ / run_files::kFrequency; }
  std::filesystem::path metrics() const { return path_ / run_files::kMetrics; }
  std::filesystem::path samples() const { return path_ / run_files::kSamples; }
  std::filesystem::path summary() const { return path_ / run_files::kSummary; }
  std::filesystem::path documents() const { return path_ / run_files::kDocuments; }
  std::filesystem::path report() const { return path_ / run_files::kReport; }
  std::filesystem::path log() const { return path_ / "train.log"; }
  std::filesystem::path tensorboard() const { return path_ / "runs"; }
  // The folder of tokenized and counted corpora. Empty for a job without output_dir.
  std::filesystem::path cache() const { return path_.empty() ? path_ : path_ / "cache"; }

  // Returns true if the last run here has finished or stopped early, as its summary says. False
  // without a summary that can be read.
  bool is_complete() const;
  // Returns true if its page is there, which is written last.
  bool has_report() const;

  // Removes the temporary files of a process that died.
  void remove_unfinished() const;

  // Returns those of the files and folders that a run makes before its first step that are not
  // there yet.
  std::vector<std::filesystem::path> absent() const;

  // Throws ConfigError if the folder has a config.json or one of `model_files` that no run has
  // written, which a run here would replace. A run writes frequency.json before those.
  void require_own(std::vector<std::string> model_files) const;

  // Throws StorageError if the file system has no room for two checkpoints of `checkpoint_bytes`
  // each, which is the least that a run needs: a checkpoint is removed only after a newer one is
  // complete. The folder, or else its nearest parent, is asked.
  void require_space(int64_t checkpoint_bytes) const;

  // Writes and removes a file here or, if the folder does not exist yet, in the nearest parent that
  // does. Throws StorageError.
  void try_writing() const;

 private:
  // Returns the folder or, if it does not exist yet, the nearest parent that does. Throws
  // StorageError if there is none.
  std::filesystem::path existing_folder() const;

  std::filesystem::path path_;
};

}  // namespace pdl
