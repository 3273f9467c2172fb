// The training loop, which decides when a run steps, reports, evaluates, saves and ends.
// training_step.h computes a step, step_ledger.h adds the steps up, and
// evaluation/model_selection.h finds the best model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "pdl/batches/batch_loader.h"
#include "pdl/batches/batch_plan.h"
#include "pdl/config/run_config.h"
#include "pdl/evaluation/evaluator.h"
#include "pdl/evaluation/model_selection.h"
#include "pdl/generation/generate.h"
#include "pdl/metrics/observer.h"
#include "pdl/tokenizer/tokenizer.h"
#include "pdl/tokens/sequences.h"
#include "pdl/trainer/run_checkpoints.h"
#include "pdl/trainer/run_control.h"
#include "pdl/trainer/step_ledger.h"
#include "pdl/trainer/training_step.h"

namespace pdl {

// What decides how a run goes: the settings of its parts.
struct TrainerOptions {
  StepOptions step;
  ScheduleOptions schedule;
  EvaluationOptions evaluation;
  EvaluatorOptions evaluator;
  CheckpointOptions checkpoint;
  BatchOptions batch = {};
  std::filesystem::path output_dir;
  // Files of observers that a resumed run appends to; see CheckpointSaver.
  std::vector<std::filesystem::path> companions;
};

// What the model continues at each evaluation.
struct SamplePrompts {
  const Tokenizer& tokenizer;
  std::vector<std::string> texts;
  std::vector<std::vector<int32_t>> ids;  // of the texts
  GenerationOptions options;
};

// What a trainer works with; all of it must outlive the trainer.
struct TrainerParts {
  StepParts step;
  const Sequences& train_sequences;
  const Sequences* eval_sequences;  // null: no evaluation
  const RunIdentity& identity;
  RunObserver& observer;
  RunControl* control = nullptr;           // null: nothing stops the run
  const SamplePrompts* samples = nullptr;  // null: none
};

// Trains a model: decides when steps, evaluations and checkpoints happen, from the begin or from a
// checkpoint to the end.
class Trainer {
 public:
  Trainer(const TrainerParts& parts, const TrainerOptions& options);
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // Where the run is now.
  const TrainerState& state() const { return state_; }

  // Resumes from a checkpoint. With early stopping, the best checkpoint must be in output_dir too.
  // Throws CheckpointError.
  void resume(const std::filesystem::path& checkpoint);

  // Tries the largest micro-batch of the run; see TrainingStep.
  StepTrial try_largest() {
    return step_.try_largest(parts_.train_sequences,
                             options_.step.training.per_device_train_batch_size, options_.batch);
  }

  // True if there is nothing left to train or to evaluate.
  bool is_done() const;

  // The size in bytes of a checkpoint of this run.
  int64_t checkpoint_bytes() const { return checkpoints_.bytes(); }

  // Returns what evaluations with a grid of biases find of each document, for the model as it is:
  // of the last evaluation or, if there is none since the model changed, of a new one. Without
  // eval_files or a grid it is empty.
  DocumentTable evaluate_documents();

  // Trains to the last step, or until early_stopping_patience evaluations bring no improvement; the
  // model then has the weights of the best one. Returns earlier, with a checkpoint saved, if the
  // ranks vote for it. Throws NumericError after max_bad_steps non-finite steps in a row, and
  // StorageError if checkpoints cannot be saved.
  void run();

 private:
  void train(BatchLoader& loader);
  StepPlan plan_of(int64_t index) const;
  bool needs_figures() const;
  void settle();
  void report_training();
  bool evaluate_and_save();
  bool evaluate(Vote& wanted);
  bool write_samples(const std::function<bool()>& goes_on);
  void save(bool in_background);

  TrainerParts parts_;
  TrainerOptions options_;
  BatchPlan plan_;
  std::optional<DocumentTable> documents_;  // of the model as it is
  int64_t total_steps_;
  TrainerState state_;
  TrainingStep step_;
  StepLedger ledger_;         // of state_.ledger
  ModelSelection selection_;  // of state_.selection
  RunCheckpoints checkpoints_;
};

}  // namespace pdl
