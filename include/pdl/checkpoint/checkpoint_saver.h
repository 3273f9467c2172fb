// Saves checkpoints while training goes on, and tolerates a disk that fails now and then.
#pragma once

#include <cstdint>
#include <filesystem>
#include <future>
#include <optional>
#include <vector>

#include "pdl/checkpoint/checkpoint.h"

namespace pdl {

// Saves a checkpoint, then prunes older ones. start() and save() write the same files. A failed
// save is a warning: earlier checkpoints stay, and the next save tries again. kMaxFailures failures
// in a row end the run.
class CheckpointSaver {
 public:
  static constexpr int kMaxFailures = 3;

  // Where checkpoints are written, and how many are kept.
  struct Options {
    std::filesystem::path output_dir;
    int64_t save_total_limit = 3;  // see PruneOptions
    // Files that a resumed run appends to, e.g. its metrics; they are synced before a checkpoint
    // appears.
    std::vector<std::filesystem::path> companions;
  };

  // `identity` must outlive the saver.
  CheckpointSaver(Options options, const RunIdentity& identity);
  // Waits for the save in progress. What it would throw becomes a warning.
  ~CheckpointSaver();
  CheckpointSaver(const CheckpointSaver&) = delete;
  CheckpointSaver& operator=(const CheckpointSaver&) = delete;

  // Waits for the save in progress, copies the tensors and writes the copy on another thread.
  // `best_step` is that of PruneOptions. Throws StorageError after kMaxFailures failures in a row.
  void start(const CheckpointTensors& tensors, const TrainerState& state,
             std::optional<int64_t> best_step);

  // Waits for the save in progress and writes before it returns, for a state that must be on disk
  // before anything else happens. Tries again at once if that fails. Throws as start() does.
  void save(const CheckpointTensors& tensors, const TrainerState& state,
            std::optional<int64_t> best_step);

  // Throws what start() would if the last save was the last of kMaxFailures failures. Does not
  // wait.
  void check();

 private:
  void write(const CheckpointTensors& tensors, const TrainerState& state,
             std::optional<int64_t> best_step);
  void finish();

  Options options_;
  const RunIdentity& identity_;
  std::future<void> in_progress_;
  int failures_ = 0;  // in a row; owned by the writing thread while there is one
};

}  // namespace pdl
