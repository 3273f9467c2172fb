// The training loop. One optimiser step over A micro-batches minimises Σ w·ce / Σ w with both sums
// over all of them: the denominator is known from the targets before the first forward, and the
// loss is divided by it once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "pdl/checkpoint/checkpoint_saver.h"
#include "pdl/config/run_config.h"
#include "pdl/data/batch_loader.h"
#include "pdl/data/batch_plan.h"
#include "pdl/distributed/process_group.h"
#include "pdl/loss/weight_table.h"
#include "pdl/metrics/observer.h"
#include "pdl/metrics/profiler.h"
#include "pdl/model/language_model.h"
#include "pdl/optim/loss_scaler.h"
#include "pdl/optim/optimizer.h"
#include "pdl/tokens/sequences.h"
#include "pdl/trainer/run_control.h"

namespace pdl {

struct TrainerOptions {
  TrainingOptions training;
  ScheduleOptions schedule;
  EvaluationOptions evaluation;
  CheckpointOptions checkpoint;
  double max_grad_norm = 1.0;  // 0 is off
  int64_t logits_chunk_rows =
      0;  // rows of logits that exist at once, for models with a head; 0: all
  int64_t eval_chunk_positions = 0;  // the same in evaluations
  bool scale_loss = false;           // for float16
  int32_t pad_id = 0;
  std::filesystem::path output_dir;
  // Files of the sinks that a resumed run goes on with; see CheckpointSaver.
  std::vector<std::filesystem::path> companions;
};

// What a trainer works with; all of it must outlive the trainer.
struct TrainerParts {
  LanguageModel& model;
  Optimizer& optimizer;
  WeightTable& weights;
  ProcessGroup& process_group;
  const Sequences& train_sequences;
  const Sequences* eval_sequences;  // null: no evaluation
  const RunIdentity& identity;
  Profiler* profiler = nullptr;   // null: no profile
  RunControl* control = nullptr;  // null: nothing stops the run
};

class Trainer {
 public:
  Trainer(const TrainerParts& parts, const TrainerOptions& options);

  int64_t total_steps() const { return total_steps_; }
  const TrainerState& state() const { return state_; }

  // Goes on from a checkpoint instead of the beginning. With early stopping the best
  // checkpoint must be in output_dir too. Throws CheckpointError.
  void resume(const std::filesystem::path& checkpoint);

  // True if there is nothing left to train or to evaluate.
  bool is_done() const {
    return (state_.step >= total_steps_ || state_.stopped_early) && !state_.evaluation_due;
  }

  // Bytes of a checkpoint of this run.
  int64_t checkpoint_bytes() const;

  // Trains to the end: the last step, or no improvement for early_stopping_patience evaluations,
  // after which the model has the weights of the best one. Returns before that, with a checkpoint
  // saved, if the run's control asks for it. Throws NumericError after max_bad_steps non-finite
  // steps in a row, and StorageError if checkpoints cannot be saved.
  void run(const std::vector<RunObserver*>& sinks);

 private:
  // What is known of a step before any forward: scalars on the device, over all micro-batches.
  struct StepWeights {
    at::Tensor weights;     // [V] float32
    at::Tensor weight_sum;  // [] float64
    at::Tensor square_sum;  // [] float64
    at::Tensor num_tokens;  // [] int64
  };
  // A step whose figures may still be on the device: it is settled when somebody needs them, so
  // that the host waits for a GPU no more often than that.
  struct UnsettledStep {
    int64_t step;  // from 1
    std::vector<int64_t> rows;
    double learning_rate;
    double z_score;      // of its ce, see spike_detector.h; 0 if spikes are not watched
    at::Tensor figures;  // [7] float64, see settle()
  };
  // Wall time of the steps since the last line: of this process, so it is not part of the state.
  struct Timing {
    int64_t num_tokens = 0;
    int64_t steps = 0;
    double seconds = 0;
  };

  void train_step(BatchLoader& loader);
  void report_if_due();
  bool evaluate_and_save();
  StepWeights sum_weights(const std::vector<Batch>& batches);
  void settle();
  void settle(const UnsettledStep& unsettled, const double* figures);
  void skip(const UnsettledStep& unsettled, const std::string& reason, bool is_bad = true);
  bool needs_figures(int64_t step) const;
  void report_training();
  bool evaluate_now();
  bool stop_requested() const;
  double spike_z_score_now(const at::Tensor& ce_sum, const StepWeights& weights) const;
  bool watches_spikes() const;
  bool is_spike(double z_score) const;
  bool report_spike(const UnsettledStep& unsettled, double ce);
  void save(bool in_background);
  CheckpointTensors checkpoint_tensors() const;
  bool keeps_best() const;
  std::filesystem::path best_checkpoint() const;
  bool is_better(const EvalMetrics& candidate) const;

  TrainerParts parts_;
  TrainerOptions options_;
  BatchPlan plan_;
  int64_t total_steps_;
  TrainerState state_;
  CheckpointSaver saver_;
  std::optional<LossScaler> loss_scaler_;
  std::vector<RunObserver*> sinks_;
  std::vector<UnsettledStep> unsettled_;
  Timing timing_;
};

}  // namespace pdl
