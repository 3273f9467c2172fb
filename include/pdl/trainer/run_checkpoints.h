// Saves and loads the checkpoints of a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "pdl/checkpoint/checkpoint_saver.h"
#include "pdl/model/language_model.h"
#include "pdl/optim/optimizer.h"
#include "pdl/trainer/training_step.h"

namespace pdl {

// Saves and restores the checkpoints of one run.
class RunCheckpoints {
 public:
  // `tensors` share memory with the run's own. `identity` must outlive this.
  RunCheckpoints(CheckpointSaver::Options options, CheckpointTensors tensors,
                 const RunIdentity& identity);

  // Writes the checkpoint of state.step; if in_background, training goes on meanwhile. The
  // checkpoint of `best_step`, if there is one, is kept. Throws as CheckpointSaver does.
  void save(const TrainerState& state, std::optional<int64_t> best_step, bool in_background);
  // Throws if background saves have failed too often.
  void check() { saver_.check(); }

  // Copies the tensors of a checkpoint into the run's and returns its state. Throws
  // CheckpointError.
  TrainerState load(const std::filesystem::path& checkpoint) const;
  // Throws CheckpointError if the checkpoint that early stopping may restore is missing.
  void require_best(int64_t step) const;
  // Copies the weights of that checkpoint into the model. Throws CheckpointError.
  void load_best(int64_t step) const;

  // The size in bytes of a checkpoint of this run.
  int64_t bytes() const { return checkpoint_bytes(tensors_); }

 private:
  std::filesystem::path output_dir_;
  CheckpointTensors tensors_;
  CheckpointSaver saver_;
};

// Returns all tensors that change in training: parameters and buffers, moments, the loss scaler.
CheckpointTensors tensors_of(const LanguageModel& model, const Optimizer& optimizer,
                             const TrainingStep& step);

}  // namespace pdl
