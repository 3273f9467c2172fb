// Computes one update, from the micro-batches of a step to new parameters, without logging, files
// or evaluation.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "pdl/batches/batch_loader.h"
#include "pdl/config/run_config.h"
#include "pdl/distributed/process_group.h"
#include "pdl/loss/weight_table.h"
#include "pdl/metrics/profiler.h"
#include "pdl/model/language_model.h"
#include "pdl/optim/loss_scaler.h"
#include "pdl/optim/optimizer.h"
#include "pdl/tokens/sequences.h"
#include "pdl/trainer/forward_backward.h"
#include "pdl/trainer/step_figures.h"

namespace pdl {

// What a step works with; all of it must outlive the step.
struct StepParts {
  LanguageModel& model;
  Optimizer& optimizer;
  WeightTable& weights;
  ProcessGroup& group;
  Profiler* profiler = nullptr;  // null: no profile
};

// The settings of every step.
struct StepOptions {
  TrainingOptions training;
  double max_grad_norm = 1.0;   // 0 is off
  int64_t chunk_positions = 0;  // whose logits exist at once; 0: all
  bool scale_loss = false;      // for float16
};

// What one step is to be computed with.
struct StepPlan {
  int64_t index = 0;  // of the step, from 0
  double learning_rate = 0;
  double alpha = 0;
  // Unweighted ce of the steps before, see spike_detector.h. Used if spikes are watched.
  std::span<const double> ce_history;
};

// The result of a trial of the largest micro-batch.
struct StepTrial {
  int64_t batch_size = 0;  // sequences
  int64_t length = 0;      // tokens in each
  double loss = 0;         // Σw·ce / Σw
  double grad_norm = 0;
};

// Computes optimiser steps.
class TrainingStep {
 public:
  TrainingStep(const StepParts& parts, const StepOptions& options);

  // Does one update that minimises Σ w·ce / Σ w, both sums over all micro-batches and ranks. The
  // denominator is known from the targets before the first forward, and the loss is divided by it
  // once. Updates nothing, parameters().changing neither, if loss or gradient is not
  // finite, if the step has no target, or if it spikes and spike_action is kSkip. Does not wait for
  // the device unless spikes are watched or forward changes buffers.
  PendingFigures run(const StepBatches& batches, const StepPlan& plan);

  // Runs forward and backward at full alpha over the largest micro-batch of `batch_size`: as many
  // sequences of the greatest length, of these those with the most targets; twice if a step adds up
  // several. Updates nothing, and leaves the model in training mode.
  StepTrial try_largest(const Sequences& sequences, int64_t batch_size,
                        const BatchOptions& options);

  // The state of the loss scaler, if there is one, sharing memory with this.
  std::vector<NamedTensor> state() const;

 private:
  // Sums of a step that are known before any forward, over all micro-batches and ranks, on the
  // device.
  struct StepWeights {
    at::Tensor weights;     // [V] float32
    at::Tensor weight_sum;  // [] float64
    at::Tensor square_sum;  // [] float64
    at::Tensor num_tokens;  // [] int64
  };

  StepWeights sum_weights(const std::vector<Batch>& batches, double alpha);
  LossSums accumulate_gradients(const StepBatches& batches, const StepPlan& plan,
                                const StepWeights& weights, const at::Tensor& loss_scale);
  at::Tensor gradient_divisor(const at::Tensor& norm, const at::Tensor& scale) const;
  double z_score_of(const LossSums& sums, const StepWeights& weights, const StepPlan& plan) const;
  bool watches_spikes() const;
  bool skips_spike(double z_score) const;

  StepParts parts_;
  StepOptions options_;
  std::optional<LossScaler> loss_scaler_;
};

}  // namespace pdl
