// A checkpoint is a folder checkpoint-<step> with model.safetensors, optimizer.safetensors,
// trainer_state.json and MANIFEST.json (size and SHA-256 of the others, written last). It is
// written under a temporary name, synced, and renamed when it is complete. Hence a folder with the
// name of a checkpoint is a checkpoint, whatever happens while it is written.
//
// Reading also takes checkpoints whose tensors lie in several files, one for each rank (see
// pdl/checkpoint/records/manifest.h). A run of one process writes one file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pdl/checkpoint/records/trainer_state.h"
#include "pdl/tensors/named_tensor.h"

namespace pdl {

// The tensors of a run that a checkpoint holds; they share memory with the run's own. Writing
// takes whole tensors; reading fills any slices.
struct CheckpointTensors {
  std::vector<TensorSlice> model;      // model.safetensors
  std::vector<TensorSlice> optimizer;  // optimizer.safetensors: moments and the loss scaler
};

// Returns the size in bytes of a checkpoint of these tensors, up to some kilobytes.
int64_t checkpoint_bytes(const CheckpointTensors& tensors);

// Writes output_dir/checkpoint-<state.step>, replacing one of that step, reads it back and verifies
// it. Throws StorageError; then there is either no new checkpoint or one that verifies.
std::filesystem::path save_checkpoint(const std::filesystem::path& output_dir,
                                      const CheckpointTensors& tensors, const TrainerState& state,
                                      const RunIdentity& identity);

// Returns the path of the checkpoint of a step.
std::filesystem::path checkpoint_folder(const std::filesystem::path& output_dir, int64_t step);

// Lists the checkpoint folders of output_dir with their steps, oldest first, damaged ones included.
// Throws StorageError for a folder that cannot be read.
std::vector<std::pair<int64_t, std::filesystem::path>> list_checkpoints(
    const std::filesystem::path& output_dir);

// Returns "" if the checkpoint is whole, else what is wrong. In a whole one the manifest is
// well-formed and lists the files of a checkpoint, each file has the size and hash listed, and the
// state and all of every tensor can be read.
std::string find_damage(const std::filesystem::path& checkpoint);

// Reads trainer_state.json of a checkpoint. Throws CheckpointError.
std::pair<TrainerState, RunIdentity> load_trainer_state(const std::filesystem::path& checkpoint);

// Copies weights and optimiser state into `tensors`, whatever slices the checkpoint's files hold.
// Throws CheckpointError; if names, shapes or dtypes differ, nothing is copied.
void load_checkpoint_tensors(const std::filesystem::path& checkpoint,
                             const CheckpointTensors& tensors);

// Copies the weights alone.
void load_checkpoint_model(const std::filesystem::path& checkpoint,
                           const std::vector<TensorSlice>& model);

// Which checkpoints of a run may be removed.
struct PruneOptions {
  int64_t limit = 0;         // checkpoints to keep, in any case 2; 0: all
  int64_t current_step = 0;  // of the checkpoint just saved
  // Of the checkpoint that early stopping may restore.
  std::optional<int64_t> best_step = std::nullopt;
};

// Removes checkpoints until `limit` are left: first those of steps above `current_step`, which an
// earlier start of the run has left, then the oldest. Never removes those of `current_step` and
// `best_step`, nor the last two that verify. Throws StorageError.
void prune_checkpoints(const std::filesystem::path& output_dir, const PruneOptions& options);

}  // namespace pdl
