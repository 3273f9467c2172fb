// A checkpoint is a folder checkpoint-<step> with model.safetensors, optimizer.safetensors,
// trainer_state.json and MANIFEST.json (size and SHA-256 of the others, written last). It is made
// under a temporary name and renamed when it is complete.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "pdl/checkpoint/trainer_state.h"
#include "pdl/model/language_model.h"

namespace pdl {

// The tensors of a run that a checkpoint holds; they share memory with the run's own.
struct CheckpointTensors {
  std::vector<NamedTensor> model;      // model.safetensors
  std::vector<NamedTensor> optimizer;  // optimizer.safetensors: moments and the random generator
};

// Writes output_dir/checkpoint-<state.step>, replacing one of that step. Throws StorageError.
std::filesystem::path save_checkpoint(const std::filesystem::path& output_dir,
                                      const CheckpointTensors& tensors, const TrainerState& state,
                                      const RunIdentity& identity);

// Removes what processes that died while saving have left in output_dir.
void remove_unfinished_saves(const std::filesystem::path& output_dir);

// The checkpoint folders of output_dir with their steps, oldest first, whole or not. Throws
// StorageError for a folder that cannot be read.
std::vector<std::pair<int64_t, std::filesystem::path>> list_checkpoints(
    const std::filesystem::path& output_dir);

// Returns "" if the manifest is well-formed and every file has the size and hash that it names,
// else what is wrong.
std::string find_damage(const std::filesystem::path& checkpoint);

// Reads trainer_state.json of a checkpoint. Throws CheckpointError.
std::pair<TrainerState, RunIdentity> load_trainer_state(const std::filesystem::path& checkpoint);

// Copies weights and optimiser state into `tensors`. Throws CheckpointError.
void load_checkpoint_tensors(const std::filesystem::path& checkpoint,
                             const CheckpointTensors& tensors);

// Copies only the weights.
void load_checkpoint_model(const std::filesystem::path& checkpoint,
                           const std::vector<NamedTensor>& model);

// Removes checkpoints until `limit` are left (0: keeps all): first those of steps above
// `current_step`, which belong to an abandoned course, then the oldest. Never those of
// `current_step` and `best_step` (-1: none).
void prune_checkpoints(const std::filesystem::path& output_dir, int64_t limit, int64_t current_step,
                       int64_t best_step);

}  // namespace pdl
