#include "pdl/trainer/run_checkpoints.h"

#include <utility>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/checkpoint/checkpoint.h"

namespace pdl {

RunCheckpoints::RunCheckpoints(CheckpointSaver::Options options, CheckpointTensors tensors,
                               const RunIdentity& identity)
    : output_dir_(options.output_dir),
      tensors_(std::move(tensors)),
      saver_(std::move(options), identity) {}

void RunCheckpoints::save(const TrainerState& state, std::optional<int64_t> best_step,
                          bool in_background) {
  if (in_background) {
    saver_.start(tensors_, state, best_step);
  } else {
    saver_.save(tensors_, state, best_step);
  }
}

TrainerState RunCheckpoints::load(const std::filesystem::path& checkpoint) const {
  TrainerState state = load_trainer_state(checkpoint).first;
  load_checkpoint_tensors(checkpoint, tensors_);
  return state;
}

void RunCheckpoints::require_best(int64_t step) const {
  const std::filesystem::path best = checkpoint_folder(output_dir_, step);
  const std::string damage = find_damage(best);
  if (damage.empty()) return;
  throw CheckpointError("early stopping needs the best checkpoint '" + best.string() + "': " +
                        damage + "; copy it there, or resume in the output_dir that has it");
}

void RunCheckpoints::load_best(int64_t step) const {
  load_checkpoint_model(checkpoint_folder(output_dir_, step), tensors_.model);
}

CheckpointTensors tensors_of(const LanguageModel& model, const Optimizer& optimizer,
                             const TrainingStep& step) {
  std::vector<NamedTensor> moments = optimizer.state();
  for (NamedTensor& scaler : step.state()) moments.push_back(std::move(scaler));
  return {whole_slices(model.parameters().all()), whole_slices(moments)};
}

}  // namespace pdl
