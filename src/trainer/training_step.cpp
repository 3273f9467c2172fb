#include "pdl/trainer/training_step.h"

#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <array>
#include <functional>

#include "pdl/batches/batch.h"
#include "pdl/ops/cross_entropy.h"
#include "pdl/optim/gradient_clipping.h"
#include "pdl/trainer/dropout_seed.h"
#include "pdl/trainer/spike_detector.h"

namespace pdl {

TrainingStep::TrainingStep(const StepParts& parts, const StepOptions& options)
    : parts_(parts), options_(options) {
  if (options_.scale_loss) loss_scaler_.emplace(parts_.model.info().device);
}

std::vector<NamedTensor> TrainingStep::state() const {
  return loss_scaler_ ? loss_scaler_->state() : std::vector<NamedTensor>{};
}

PendingFigures TrainingStep::run(const StepBatches& batches, const StepPlan& plan) {
  parts_.model.set_training(true);
  const std::vector<at::Tensor> buffers_before = copy_changing_buffers(parts_.model);

  // 1. The weight sum of the step, from its targets alone.
  ProfiledPhase phase(parts_.profiler, "weight sum");
  const StepWeights weights = sum_weights(batches.batches, plan.alpha);
  const at::Tensor scale = loss_scaler_ ? loss_scaler_->scale() : at::Tensor();
  phase.end();

  // 2. Forward and backward of each micro-batch.
  const LossSums sums = accumulate_gradients(batches, plan, weights, scale);
  parts_.model.pull_buffers();

  // 3. Sums, not means: weight_sum already covers every rank.
  phase.next("reduce");
  const std::vector<at::Tensor> gradients = parts_.optimizer.gradients();
  parts_.group.all_reduce_sum(std::array{sums.weighted_sum, sums.ce_sum});
  parts_.group.all_reduce_sum(gradients);

  // 4. Check and clip.
  phase.next("gradient norm");
  at::Tensor norm = gradient_norm(gradient_square_sum(gradients, parts_.model.info().device));
  if (scale.defined()) norm = norm.div(scale);
  const at::Tensor is_finite = norm.isfinite();
  const double z_score = z_score_of(sums, weights, plan);
  UpdateScaling scaling;
  scaling.divisor = gradient_divisor(norm, scale);
  scaling.skip = is_finite.logical_and(sums.weighted_sum.isfinite())
                     .logical_and_(weights.weight_sum.gt(0))
                     .logical_not_()
                     .to(at::kFloat);
  if (skips_spike(z_score)) scaling.skip.fill_(1);

  // 5. Update.
  phase.next("optimizer");
  parts_.optimizer.step(plan.learning_rate, scaling);
  // Few models have such buffers; of them alone the device is waited for.
  if (!buffers_before.empty() && scaling.skip.item<float>() != 0) {
    restore_changing_buffers(parts_.model, buffers_before);
  }
  if (loss_scaler_) loss_scaler_->update(is_finite.logical_not().to(at::kFloat));

  // 6. Report, later.
  phase.next("figures");
  return {.step = plan.index + 1,
          .sequences = batches.sequences,
          .learning_rate = plan.learning_rate,
          .z_score = z_score,
          .values = pack_figures({.weighted_sum = sums.weighted_sum,
                                  .ce_sum = sums.ce_sum,
                                  .weight_sum = weights.weight_sum,
                                  .square_sum = weights.square_sum,
                                  .num_tokens = weights.num_tokens,
                                  .grad_norm = norm,
                                  .loss_scale = scale.defined() ? scale : at::ones_like(norm)})};
}

TrainingStep::StepWeights TrainingStep::sum_weights(const std::vector<Batch>& batches,
                                                    double alpha) {
  StepWeights step;
  step.weights = parts_.weights.at_alpha(alpha);
  step.weight_sum = at::zeros({}, step.weights.options().dtype(at::kDouble));
  step.square_sum = at::zeros_like(step.weight_sum);
  step.num_tokens = at::zeros_like(step.weight_sum, at::kLong);
  for (const Batch& batch : batches) {
    const TargetWeightSums sums = sum_target_weights(batch.targets, step.weights);
    step.weight_sum.add_(sums.weight_sum);
    step.square_sum.add_(sums.square_sum);
    step.num_tokens.add_(batch.num_tokens);
  }
  parts_.group.all_reduce_sum(std::array{step.weight_sum, step.square_sum, step.num_tokens});
  return step;
}

LossSums TrainingStep::accumulate_gradients(const StepBatches& batches, const StepPlan& plan,
                                            const StepWeights& weights,
                                            const at::Tensor& loss_scale) {
  const at::Tensor denominator =
      loss_scale.defined() ? weights.weight_sum.div(loss_scale) : weights.weight_sum;
  LossSums sums{at::zeros_like(weights.weight_sum), at::zeros_like(weights.weight_sum)};
  for (size_t i = 0; i < batches.batches.size(); ++i) {
    seed_dropout(static_cast<uint64_t>(options_.training.seed), plan.index,
                 batches.micro_batches[i].index);
    const LossSums loss = forward_backward(
        parts_.model, batches.batches[i], weights.weights, denominator,
        {.chunk_positions = options_.chunk_positions, .profiler = parts_.profiler});
    sums.weighted_sum.add_(loss.weighted_sum);
    sums.ce_sum.add_(loss.ce_sum);
  }
  return sums;
}

at::Tensor TrainingStep::gradient_divisor(const at::Tensor& norm, const at::Tensor& scale) const {
  if (options_.max_grad_norm <= 0) return scale;
  const at::Tensor divisor = clipping_divisor(norm, options_.max_grad_norm);
  return scale.defined() ? divisor.mul(scale) : divisor;
}

bool TrainingStep::watches_spikes() const { return options_.training.spike_threshold > 0; }

bool TrainingStep::skips_spike(double z_score) const {
  return watches_spikes() && z_score > options_.training.spike_threshold &&
         options_.training.spike_action == SpikeAction::kSkip;
}

// On a GPU this waits for the step to end.
double TrainingStep::z_score_of(const LossSums& sums, const StepWeights& weights,
                                const StepPlan& plan) const {
  if (!watches_spikes()) return 0;
  return spike_z_score(plan.ce_history, sums.ce_sum.item<double>() /
                                            weights.num_tokens.to(at::kDouble).item<double>());
}

StepTrial TrainingStep::try_largest(const Sequences& sequences, int64_t batch_size,
                                    const BatchOptions& options) {
  std::vector<int64_t> longest;
  for (int64_t i = 0; i < sequences.size(); ++i) {
    if (std::ssize(sequences.tokens(i)) == sequences.longest()) longest.push_back(i);
  }
  // Those with the most targets have the most logits.
  std::ranges::stable_sort(longest, std::greater<>(), [&](int64_t i) {
    return std::ranges::count_if(sequences.tokens(i), &Token::is_trained);
  });
  longest.resize(std::min(longest.size(), static_cast<size_t>(batch_size)));
  // If there are too few sequences of that length for a batch, repeating them gives the same shape.
  const int64_t size = std::min(batch_size, sequences.size());
  while (std::ssize(longest) < size) longest.push_back(longest.front());
  parts_.model.set_training(true);
  const std::vector<at::Tensor> buffers_before = copy_changing_buffers(parts_.model);
  const Batch batch = make_batch(sequences, longest, options);
  // The second micro-batch of a step takes memory beside all gradients.
  StepBatches batches;
  for (int64_t i = 0; i < std::min<int64_t>(options_.training.gradient_accumulation_steps, 2);
       ++i) {
    batches.batches.push_back(batch);
    batches.micro_batches.push_back({.index = i, .sequences = {}});
  }
  StepPlan plan;
  plan.alpha = parts_.weights.options().pdl_alpha;
  const StepWeights weights = sum_weights(batches.batches, plan.alpha);
  const LossSums loss = accumulate_gradients(batches, plan, weights, /*loss_scale=*/{});
  const at::Tensor square_sum =
      gradient_square_sum(parts_.optimizer.gradients(), parts_.model.info().device);
  parts_.optimizer.release_gradients();
  restore_changing_buffers(parts_.model, buffers_before);
  return {.batch_size = batch.input_ids.size(0),
          .length = batch.input_ids.size(1),
          .loss = loss.weighted_sum.div(weights.weight_sum).item<double>(),
          .grad_norm = gradient_norm(square_sum).item<double>()};
}

}  // namespace pdl
