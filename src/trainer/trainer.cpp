#include "pdl/trainer/trainer.h"

#include <ATen/Context.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <chrono>
#include <cmath>
#include <string>
#include <utility>

#include "generator_state.h"
#include "pdl/base/error.h"
#include "pdl/base/log.h"
#include "pdl/frequency/weight_formula.h"
#include "pdl/loss/weighted_cross_entropy.h"
#include "pdl/optim/gradient_clipping.h"
#include "pdl/optim/schedule.h"
#include "pdl/trainer/batch_gradient.h"
#include "pdl/trainer/evaluator.h"

namespace pdl {
namespace {

bool is_due(int64_t step, int64_t interval) { return interval > 0 && step % interval == 0; }

double metric_of(const EvalMetrics& eval, BestMetric metric) {
  switch (metric) {
    case BestMetric::kEvalCe:
      return eval.eval_ce;
    case BestMetric::kEvalLoss:
      return eval.eval_loss;
    case BestMetric::kEvalPpl:
      return eval.eval_ppl;
    case BestMetric::kEvalAccuracy:
      return eval.eval_accuracy;
  }
  return eval.eval_ce;
}

void add(const StepSums& step, StepSums& total) {
  total.weighted_sum += step.weighted_sum;
  total.ce_sum += step.ce_sum;
  total.weight_sum += step.weight_sum;
  total.square_sum += step.square_sum;
  total.num_tokens += step.num_tokens;
  total.steps += step.steps;
}

}  // namespace

Trainer::Trainer(const TrainerParts& parts, const TrainerOptions& options)
    : parts_(parts),
      options_(options),
      plan_(parts.train_rows.size(), options.training),
      total_steps_(plan_.total_steps()) {
  if (options.scale_loss) loss_scaler_.emplace(parts.model.device());
}

CheckpointTensors Trainer::checkpoint_tensors(const std::vector<NamedTensor>& generators) const {
  CheckpointTensors tensors{parts_.model.state(), parts_.optimizer.state()};
  if (loss_scaler_) {
    const std::vector<NamedTensor> scaler = loss_scaler_->state();
    tensors.optimizer.insert(tensors.optimizer.end(), scaler.begin(), scaler.end());
  }
  tensors.optimizer.insert(tensors.optimizer.end(), generators.begin(), generators.end());
  return tensors;
}

void Trainer::resume(const std::filesystem::path& checkpoint) {
  state_ = load_trainer_state(checkpoint).first;
  const at::Device device = parts_.model.device();
  const std::vector<NamedTensor> generators = generator_states(device);
  load_checkpoint_tensors(checkpoint, checkpoint_tensors(generators));
  restore_generator_states(device, generators);
  resumed_ = true;
  if (keeps_best()) {
    const std::string damage = find_damage(best_checkpoint());
    if (!damage.empty()) {
      throw CheckpointError("early stopping needs the best checkpoint '" +
                            best_checkpoint().string() + "': " + damage +
                            "; copy it there, or resume in the output_dir that has it");
    }
  }
}

// True if early stopping may want the weights of the best step in the end.
bool Trainer::keeps_best() const {
  return options_.evaluation.early_stopping_patience > 0 && state_.best_eval.has_value();
}

std::filesystem::path Trainer::best_checkpoint() const {
  return options_.output_dir / ("checkpoint-" + std::to_string(state_.best_eval->step));
}

void Trainer::run(const std::vector<MetricsSink*>& sinks) {
  sinks_ = sinks;
  if (!resumed_) at::manual_seed(static_cast<uint64_t>(options_.training.seed));
  const bool stops_early = options_.evaluation.early_stopping_patience > 0;
  BatchLoader loader(parts_.train_rows, plan_,
                     {.pad_id = options_.pad_id,
                      .device = parts_.model.device(),
                      .first_step = state_.step,
                      .end_step = total_steps_});
  while (!is_done()) {
    const auto start = std::chrono::steady_clock::now();
    parts_.model.set_training(true);
    train_step(loader);
    const int64_t step = ++state_.step;
    const bool is_last = step == total_steps_;
    bool improved = false;
    if (needs_figures(step)) settle();
    timing_.seconds +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (is_last || is_due(step, options_.training.logging_steps)) report_training();
    if (parts_.eval_rows != nullptr && (is_last || is_due(step, options_.evaluation.eval_steps))) {
      improved = evaluate_now();
    }
    if (state_.stopped_early && state_.pending.steps > 0) report_training();
    if (is_last || state_.stopped_early || is_due(step, options_.checkpoint.save_steps) ||
        (improved && stops_early)) {
      save();
    }
  }
  if (keeps_best() && state_.best_eval->step != state_.step) {
    load_checkpoint_model(best_checkpoint(), parts_.model.state());
  }
}

void Trainer::train_step(BatchLoader& loader) {
  const int64_t k = state_.step;
  Profiler* profiler = parts_.profiler;

  // 1. Batches, and the weight sum of the step, from its targets alone.
  ProfiledPhase phase(profiler, "batches");
  StepBatches step = loader.next();
  phase.next("weight sum");
  const StepWeights weights = sum_weights(step.batches);
  // A scaled loss has scaled gradients: they are divided by it in the update.
  const at::Tensor scale = loss_scaler_ ? loss_scaler_->scale() : at::Tensor();
  const at::Tensor denominator =
      scale.defined() ? weights.weight_sum.div(scale) : weights.weight_sum;
  phase.end();

  // 2. Forward and backward of each micro-batch.
  at::Tensor weighted_sum = at::zeros_like(weights.weight_sum);
  at::Tensor ce_sum = at::zeros_like(weights.weight_sum);
  for (const Batch& batch : step.batches) {
    const BatchLoss loss =
        add_batch_gradient(parts_.model, batch, weights.weights, denominator,
                           {.chunk_rows = options_.logits_chunk_rows, .profiler = profiler});
    weighted_sum.add_(loss.weighted_sum);
    ce_sum.add_(loss.ce_sum);
  }

  // 3. Sums, not means: weight_sum already covers every rank.
  phase.next("reduce");
  const std::vector<at::Tensor> gradients = parts_.optimizer.gradients();
  parts_.collective.all_reduce_sum({weighted_sum, ce_sum});
  parts_.collective.all_reduce_sum(gradients);

  // 4. Check and clip.
  phase.next("gradient norm");
  at::Tensor norm = gradient_norm(gradients, parts_.model.device());
  if (scale.defined()) norm = norm.div(scale);
  UpdateScaling scaling;
  if (options_.max_grad_norm > 0) scaling.divisor = clipping_divisor(norm, options_.max_grad_norm);
  if (scale.defined()) {
    scaling.divisor = scaling.divisor.defined() ? scaling.divisor.mul(scale) : scale;
  }
  const at::Tensor is_finite = norm.isfinite();
  const at::Tensor is_good =
      is_finite.logical_and(weighted_sum.isfinite()).logical_and_(weights.weight_sum.gt(0));
  scaling.skip = is_good.logical_not().to(at::kFloat);

  // 5. Update.
  phase.next("optimizer");
  const double learning_rate = learning_rate_at(options_.schedule, k, total_steps_);
  parts_.optimizer.step(learning_rate, scaling);
  if (loss_scaler_) loss_scaler_->update(is_finite.logical_not().to(at::kFloat));

  // 6. Account, later.
  phase.next("figures");
  unsettled_.push_back(
      {.step = k + 1,
       .rows = std::move(step.rows),
       .learning_rate = learning_rate,
       .figures = at::stack({weighted_sum, ce_sum, weights.weight_sum, weights.square_sum,
                             weights.num_tokens.to(at::kDouble), norm,
                             scale.defined() ? scale.to(at::kDouble) : at::ones_like(norm)})});
}

Trainer::StepWeights Trainer::sum_weights(const std::vector<Batch>& batches) {
  const double alpha = warmed_up_alpha(parts_.weights.options().pdl_alpha, state_.step,
                                       options_.training.pdl_alpha_warmup_steps);
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
  parts_.collective.all_reduce_sum({step.weight_sum, step.square_sum, step.num_tokens});
  return step;
}

// On the CPU the figures are there anyway. On a GPU reading them waits for it; then also before
// more steps could be bad in a row than are allowed.
bool Trainer::needs_figures(int64_t step) const {
  const bool is_free = parts_.model.device().is_cpu();
  return is_free || step == total_steps_ || is_due(step, options_.training.logging_steps) ||
         is_due(step, options_.evaluation.eval_steps) ||
         is_due(step, options_.checkpoint.save_steps) ||
         std::ssize(unsettled_) + state_.bad_steps_in_a_row >= options_.training.max_bad_steps;
}

void Trainer::settle() {
  const ProfiledPhase phase(parts_.profiler, "figures");
  std::vector<at::Tensor> figures;
  for (const UnsettledStep& step : unsettled_) figures.push_back(step.figures);
  const at::Tensor host = at::stack(figures).cpu();
  const std::vector<UnsettledStep> steps = std::exchange(unsettled_, {});
  for (size_t i = 0; i < steps.size(); ++i) {
    settle(steps[i], host[static_cast<int64_t>(i)].const_data_ptr<double>());
  }
}

void Trainer::settle(const UnsettledStep& unsettled, const double* figures) {
  const StepSums sums{.weighted_sum = figures[0],
                      .ce_sum = figures[1],
                      .weight_sum = figures[2],
                      .square_sum = figures[3],
                      .num_tokens = static_cast<int64_t>(figures[4]),
                      .steps = 1};
  learning_rate_ = unsettled.learning_rate;
  grad_norm_ = figures[5];
  if (!std::isfinite(sums.weighted_sum)) return skip(unsettled, "non-finite loss");
  if (!std::isfinite(grad_norm_)) {
    // A loss scale is found by lowering it until no gradient overflows: that is no bad step.
    const bool lowers_scale = figures[6] > 1;
    return skip(unsettled, lowers_scale ? "loss scale lowered" : "non-finite gradient",
                !lowers_scale);
  }
  if (!(sums.weight_sum > 0)) return skip(unsettled, "no target");
  state_.bad_steps_in_a_row = 0;
  state_.num_tokens += sums.num_tokens;
  add(sums, state_.pending);
  timing_.num_tokens += sums.num_tokens;
  timing_.steps += 1;
}

void Trainer::skip(const UnsettledStep& unsettled, const std::string& reason, bool is_bad) {
  ++state_.skipped_steps;
  if (is_bad) ++state_.bad_steps_in_a_row;
  SkipMetrics skipped{.step = unsettled.step, .rows = {}, .reason = reason};
  for (const auto& micro_batch : unsettled.rows)
    skipped.rows.insert(skipped.rows.end(), micro_batch.begin(), micro_batch.end());
  for (MetricsSink* sink : sinks_) sink->on_skip(skipped);
  if (is_bad && state_.bad_steps_in_a_row >= options_.training.max_bad_steps) {
    throw NumericError(reason + " in " + std::to_string(state_.bad_steps_in_a_row) +
                       " steps in a row, up to step " + std::to_string(skipped.step) +
                       "; metrics.jsonl names their rows: check those texts, or train into another "
                       "output_dir with "
                       "a lower learning_rate");
  }
}

void Trainer::report_training() {
  const StepSums& sums = state_.pending;
  StepMetrics metrics;
  metrics.step = state_.step;
  metrics.loss = sums.weighted_sum / sums.weight_sum;
  metrics.ce = sums.ce_sum / static_cast<double>(sums.num_tokens);
  metrics.ppl = std::exp(metrics.ce);
  metrics.learning_rate = learning_rate_;
  metrics.grad_norm = grad_norm_;
  metrics.epoch = static_cast<double>(state_.step) / static_cast<double>(plan_.steps_per_epoch());
  metrics.num_tokens = state_.num_tokens;
  metrics.weight_sum = sums.weight_sum;
  metrics.n_eff = sums.weight_sum * sums.weight_sum / sums.square_sum;
  metrics.skipped_steps = state_.skipped_steps;
  metrics.tokens_per_second = static_cast<double>(timing_.num_tokens) / timing_.seconds;
  metrics.step_ms = 1000 * timing_.seconds / static_cast<double>(timing_.steps);
  for (MetricsSink* sink : sinks_) sink->on_step(metrics);
  state_.last_train = metrics;
  state_.pending = {};
  timing_ = {};
}

bool Trainer::is_better(const EvalMetrics& candidate) const {
  const BestMetric metric = options_.evaluation.metric_for_best_model;
  const double value = metric_of(candidate, metric);
  if (!std::isfinite(value)) return false;
  if (!state_.best_eval) return true;
  const double best = metric_of(*state_.best_eval, metric);
  return metric == BestMetric::kEvalAccuracy ? value > best : value < best;
}

bool Trainer::evaluate_now() {
  const ProfiledPhase phase(parts_.profiler, "evaluation");
  const EvaluationOptions& evaluation = options_.evaluation;
  EvalMetrics metrics = evaluate(parts_.model, *parts_.eval_rows, parts_.weights.full_weights(),
                                 parts_.weights.counts(),
                                 {.batch_size = evaluation.per_device_eval_batch_size,
                                  .max_batches = evaluation.eval_max_batches,
                                  .pad_id = options_.pad_id,
                                  .logits_chunk_rows = options_.eval_logits_chunk_rows});
  metrics.step = state_.step;
  for (MetricsSink* sink : sinks_) sink->on_eval(metrics);
  const bool improved = is_better(metrics);
  state_.last_eval = metrics;
  if (improved) state_.best_eval = metrics;
  state_.evaluations_without_improvement =
      improved ? 0 : state_.evaluations_without_improvement + 1;
  state_.stopped_early =
      evaluation.early_stopping_patience > 0 &&
      state_.evaluations_without_improvement >= evaluation.early_stopping_patience;
  return improved;
}

void Trainer::save() {
  const ProfiledPhase phase(parts_.profiler, "checkpoint");
  const std::vector<NamedTensor> generators = generator_states(parts_.model.device());
  const auto folder =
      save_checkpoint(options_.output_dir, checkpoint_tensors(generators), state_, parts_.identity);
  log_info("saved " + folder.string());
  prune_checkpoints(options_.output_dir, options_.checkpoint.save_total_limit, state_.step,
                    keeps_best() ? state_.best_eval->step : -1);
}

}  // namespace pdl
