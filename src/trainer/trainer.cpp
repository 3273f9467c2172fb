#include "pdl/trainer/trainer.h"

#include <ATen/Context.h>
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
      total_steps_(plan_.total_steps()) {}

CheckpointTensors Trainer::checkpoint_tensors(const std::vector<NamedTensor>& generators) const {
  CheckpointTensors tensors{parts_.model.state(), parts_.optimizer.state()};
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
  while (!is_done()) {
    parts_.model.set_training(true);
    train_step();
    const int64_t step = ++state_.step;
    const bool is_last = step == total_steps_;
    bool improved = false;
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

void Trainer::train_step() {
  const auto start = std::chrono::steady_clock::now();
  const int64_t k = state_.step;
  const TrainingOptions& training = options_.training;

  // 1. The weight sum of the step, from its targets alone.
  const auto rows = plan_.micro_batches(k);
  const double alpha =
      warmed_up_alpha(parts_.weights.options().pdl_alpha, k, training.pdl_alpha_warmup_steps);
  StepInputs inputs = prepare(rows, parts_.weights.at_alpha(alpha));
  parts_.collective.all_reduce_sum({inputs.weight_sum, inputs.square_sum, inputs.num_tokens});

  // 2. Forward and backward of each micro-batch.
  StepSums sums = forward_and_backward(inputs);

  // 3. Sums, not means: weight_sum already covers every rank.
  const std::vector<at::Tensor> gradients = parts_.optimizer.gradients();
  parts_.collective.all_reduce_sum(gradients);

  // 4. Check and clip.
  grad_norm_ = gradient_norm(gradients);
  learning_rate_ = learning_rate_at(options_.schedule, k, total_steps_);
  if (!std::isfinite(sums.weighted_sum) || !std::isfinite(grad_norm_)) {
    skip(rows, std::isfinite(sums.weighted_sum) ? "non-finite gradient" : "non-finite loss");
    return;
  }
  if (options_.max_grad_norm > 0) clip_gradients(gradients, grad_norm_, options_.max_grad_norm);

  // 5. Update.
  parts_.optimizer.step(learning_rate_);

  // 6. Account.
  state_.bad_steps_in_a_row = 0;
  state_.num_tokens += sums.num_tokens;
  add(sums, state_.pending);
  timing_.num_tokens += sums.num_tokens;
  timing_.steps += 1;
  timing_.seconds +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Trainer::StepInputs Trainer::prepare(const std::vector<std::vector<int64_t>>& rows,
                                     const at::Tensor& weights) const {
  StepInputs inputs;
  inputs.weights = weights;
  inputs.weight_sum = at::zeros({}, weights.options().dtype(at::kDouble));
  inputs.square_sum = at::zeros_like(inputs.weight_sum);
  inputs.num_tokens = at::zeros_like(inputs.weight_sum, at::kLong);
  for (const std::vector<int64_t>& micro_batch : rows) {
    const Batch& batch = inputs.batches.emplace_back(
        make_batch(parts_.train_rows, micro_batch, options_.pad_id, parts_.model.device()));
    const TargetWeightSums sums = sum_target_weights(batch.targets, weights);
    inputs.weight_sum.add_(sums.weight_sum);
    inputs.square_sum.add_(sums.square_sum);
    inputs.num_tokens.add_(batch.num_tokens);
  }
  return inputs;
}

StepSums Trainer::forward_and_backward(const StepInputs& inputs) {
  at::Tensor weighted_sum = at::zeros_like(inputs.weight_sum);
  at::Tensor ce_sum = at::zeros_like(inputs.weight_sum);
  for (const Batch& batch : inputs.batches) {
    const LossTerms terms = weighted_cross_entropy(
        parts_.model.forward(batch.input_ids), batch.targets, inputs.weights, inputs.weight_sum);
    terms.loss.backward();
    weighted_sum.add_(terms.weighted_sum);
    ce_sum.add_(terms.ce_sum);
  }
  parts_.collective.all_reduce_sum({weighted_sum, ce_sum});
  return {.weighted_sum = weighted_sum.item<double>(),
          .ce_sum = ce_sum.item<double>(),
          .weight_sum = inputs.weight_sum.item<double>(),
          .square_sum = inputs.square_sum.item<double>(),
          .num_tokens = inputs.num_tokens.item<int64_t>(),
          .steps = 1};
}

void Trainer::skip(const std::vector<std::vector<int64_t>>& rows, const std::string& reason) {
  parts_.optimizer.release_gradients();
  ++state_.skipped_steps;
  ++state_.bad_steps_in_a_row;
  SkipMetrics skipped{.step = state_.step + 1, .rows = {}, .reason = reason};
  for (const auto& micro_batch : rows)
    skipped.rows.insert(skipped.rows.end(), micro_batch.begin(), micro_batch.end());
  for (MetricsSink* sink : sinks_) sink->on_skip(skipped);
  if (state_.bad_steps_in_a_row >= options_.training.max_bad_steps) {
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
  const EvaluationOptions& evaluation = options_.evaluation;
  EvalMetrics metrics = evaluate(parts_.model, *parts_.eval_rows, parts_.weights.full_weights(),
                                 parts_.weights.counts(),
                                 {.batch_size = evaluation.per_device_eval_batch_size,
                                  .max_batches = evaluation.eval_max_batches,
                                  .pad_id = options_.pad_id});
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
  const std::vector<NamedTensor> generators = generator_states(parts_.model.device());
  const auto folder =
      save_checkpoint(options_.output_dir, checkpoint_tensors(generators), state_, parts_.identity);
  log_info("saved " + folder.string());
  prune_checkpoints(options_.output_dir, options_.checkpoint.save_total_limit, state_.step,
                    keeps_best() ? state_.best_eval->step : -1);
}

}  // namespace pdl
