// A checkpoint is a folder checkpoint-<step> with model.safetensors, optimizer.safetensors,
// trainer_state.json and MANIFEST.json (size and SHA-256 of the others, written last). Each of the
// tensor files may also be several, one a rank, see pdl/checkpoint/records/manifest.h. It is made
// under a temporary name, every file and the folder are synced, and it is renamed when it is
// complete: whatever happens meanwhile, a folder with the name of a checkpoint is one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "pdl/checkpoint/records/trainer_state.h"
#include "pdl/tensors/named_tensor.h"

namespace pdl {

// The tensors of a run that a checkpoint holds; they share memory with the run's own. Every tensor
// is named: of one that another rank holds, this one has a slice without elements.
struct CheckpointTensors {
  std::vector<TensorSlice> model;      // model.safetensors
  std::vector<TensorSlice> optimizer;  // optimizer.safetensors: moments and the loss scaler
};

// Bytes that a checkpoint of these tensors takes, but for some kilobytes.
int64_t checkpoint_bytes(const CheckpointTensors& tensors);

// Writes output_dir/checkpoint-<state.step>, replacing one of that step, reads it back and verifies
// it. Throws StorageError; nothing new is visible then, or something that verifies.
std::filesystem::path save_checkpoint(const std::filesystem::path& output_dir,
                                      const CheckpointTensors& tensors, const TrainerState& state,
                                      const RunIdentity& identity);

// Where the checkpoint of a step is.
std::filesystem::path checkpoint_folder(const std::filesystem::path& output_dir, int64_t step);

// The checkpoint folders of output_dir with their steps, oldest first, whole or not. Throws
// StorageError for a folder that cannot be read.
std::vector<std::pair<int64_t, std::filesystem::path>> list_checkpoints(
    const std::filesystem::path& output_dir);

// Returns "" if the manifest is well-formed and lists the files of a checkpoint, each has the size
// and hash that it names, the state can be read and so can all of every tensor; else what is wrong.
std::string find_damage(const std::filesystem::path& checkpoint);

// Reads trainer_state.json of a checkpoint. Throws CheckpointError.
std::pair<TrainerState, RunIdentity> load_trainer_state(const std::filesystem::path& checkpoint);

// Copies weights and optimiser state into `tensors`, whatever slices the checkpoint's files hold.
// Throws CheckpointError; where names, shapes or dtypes are others, nothing is copied.
void load_checkpoint_tensors(const std::filesystem::path& checkpoint,
                             const CheckpointTensors& tensors);

// Copies only the weights.
void load_checkpoint_model(const std::filesystem::path& checkpoint,
                           const std::vector<TensorSlice>& model);

struct PruneOptions {
  int64_t limit = 0;         // checkpoints to keep, at least 2 are; 0: all
  int64_t current_step = 0;  // of the checkpoint just saved
  int64_t best_step = -1;    // of the one that early stopping may go back to; -1: none
};

// Removes checkpoints until `limit` are left: first those of steps above `current_step`, which
// belong to an abandoned course, then the oldest. Never those of `current_step` and `best_step`,
// and never one of the last two that verify. Throws StorageError.
void prune_checkpoints(const std::filesystem::path& output_dir, const PruneOptions& options);

}  // namespace pdl
