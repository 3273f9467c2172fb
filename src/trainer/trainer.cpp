#include "pdl/trainer/trainer.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <chrono>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/base/log.h"
#include "pdl/evaluation/evaluator.h"
#include "pdl/frequency/weight_formula.h"
#include "pdl/ops/cross_entropy.h"
#include "pdl/optim/gradient_clipping.h"
#include "pdl/optim/schedule.h"
#include "pdl/trainer/dropout_seed.h"
#include "pdl/trainer/forward_backward.h"
#include "pdl/trainer/spike_detector.h"

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

std::vector<int64_t> flat(const std::vector<std::vector<int64_t>>& rows) {
  std::vector<int64_t> all;
  for (const auto& micro_batch : rows)
    all.insert(all.end(), micro_batch.begin(), micro_batch.end());
  return all;
}

// What tensors have held on the device at most, as torch.cuda.max_memory_allocated; none on the
// CPU.
std::optional<double> peak_memory_gb(at::Device device) {
  if (device.is_cpu()) return std::nullopt;
  constexpr auto kAggregate = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  const auto stats = at::accelerator::getDeviceStats(device.index());
  return static_cast<double>(stats.allocated_bytes[kAggregate].peak) / 1e9;
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
      plan_(parts.train_sequences.size(), options.training),
      total_steps_(plan_.total_steps()),
      saver_({.output_dir = options.output_dir,
              .save_total_limit = options.checkpoint.save_total_limit,
              .companions = options.companions},
             parts.identity) {
  if (options.scale_loss) loss_scaler_.emplace(parts.model.device());
}

CheckpointTensors Trainer::checkpoint_tensors() const {
  CheckpointTensors tensors{parts_.model.state(), parts_.optimizer.state()};
  if (loss_scaler_) {
    const std::vector<NamedTensor> scaler = loss_scaler_->state();
    tensors.optimizer.insert(tensors.optimizer.end(), scaler.begin(), scaler.end());
  }
  return tensors;
}

int64_t Trainer::checkpoint_bytes() const { return pdl::checkpoint_bytes(checkpoint_tensors()); }

void Trainer::resume(const std::filesystem::path& checkpoint) {
  state_ = load_trainer_state(checkpoint).first;
  load_checkpoint_tensors(checkpoint, checkpoint_tensors());
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

void Trainer::run(const std::vector<RunObserver*>& sinks) {
  sinks_ = sinks;
  BatchLoader loader(parts_.train_sequences, plan_,
                     {.pad_id = options_.pad_id,
                      .device = parts_.model.device(),
                      .first_step = state_.step,
                      .end_step = total_steps_});
  bool goes_on = !state_.evaluation_due || evaluate_and_save();
  while (goes_on && !is_done()) {
    const auto start = std::chrono::steady_clock::now();
    parts_.model.set_training(true);
    train_step(loader);
    ++state_.step;
    if (needs_figures(state_.step)) settle();
    timing_.seconds +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    report_if_due();
    goes_on = evaluate_and_save();
    saver_.check();
  }
  if (is_done() && keeps_best() && state_.best_eval->step != state_.step) {
    load_checkpoint_model(best_checkpoint(), parts_.model.state());
  }
}

void Trainer::report_if_due() {
  const bool is_last = state_.step == total_steps_;
  if (is_last || is_due(state_.step, options_.training.logging_steps)) report_training();
  state_.evaluation_due = parts_.eval_sequences != nullptr &&
                          (is_last || is_due(state_.step, options_.evaluation.eval_steps));
}

bool Trainer::stop_requested() const {
  return parts_.control != nullptr && parts_.control->stop_requested();
}

// What is left of a step after its report. False if the run shall end here; it is saved then.
bool Trainer::evaluate_and_save() {
  const bool improved = state_.evaluation_due && evaluate_now();
  if (state_.stopped_early && state_.pending.steps > 0) report_training();
  const bool stops = stop_requested();
  const bool is_wanted = parts_.control != nullptr && parts_.control->take_save_request();
  const bool keeps = improved && options_.evaluation.early_stopping_patience > 0;
  if (stops || is_done() || keeps) {
    save(/*in_background=*/false);
  } else if (is_wanted || is_due(state_.step, options_.checkpoint.save_steps)) {
    save(/*in_background=*/true);
  }
  return !stops;
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
  for (size_t i = 0; i < step.batches.size(); ++i) {
    seed_dropout(static_cast<uint64_t>(options_.training.seed), k, static_cast<int64_t>(i));
    const BatchLoss loss =
        forward_backward(parts_.model, step.batches[i], weights.weights, denominator,
                         {.chunk_positions = options_.logits_chunk_rows, .profiler = profiler});
    weighted_sum.add_(loss.weighted_sum);
    ce_sum.add_(loss.ce_sum);
  }

  // 3. Sums, not means: weight_sum already covers every rank.
  phase.next("reduce");
  const std::vector<at::Tensor> gradients = parts_.optimizer.gradients();
  parts_.process_group.all_reduce_sum({weighted_sum, ce_sum});
  parts_.process_group.all_reduce_sum(gradients);

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
  const double z_score = spike_z_score_now(ce_sum, weights);
  if (is_spike(z_score) && options_.training.spike_action == SpikeAction::kSkip)
    scaling.skip.fill_(1);

  // 5. Update.
  phase.next("optimizer");
  const double learning_rate = learning_rate_at(options_.schedule, k, total_steps_);
  parts_.optimizer.step(learning_rate, scaling);
  if (loss_scaler_) loss_scaler_->update(is_finite.logical_not().to(at::kFloat));

  // 6. Account, later.
  phase.next("figures");
  unsettled_.push_back(
      {.step = k + 1,
       .rows = flat(step.rows),
       .learning_rate = learning_rate,
       .z_score = z_score,
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
  parts_.process_group.all_reduce_sum({step.weight_sum, step.square_sum, step.num_tokens});
  return step;
}

// On the CPU the figures are there anyway. On a GPU reading them waits for it; then before they are
// reported or saved, before more steps could be bad in a row than are allowed, and if the next step
// is compared with this one.
bool Trainer::needs_figures(int64_t step) const {
  const bool is_free = parts_.model.device().is_cpu();
  return is_free || watches_spikes() || step == total_steps_ ||
         is_due(step, options_.training.logging_steps) ||
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
  state_.learning_rate = unsettled.learning_rate;
  state_.grad_norm = figures[5];
  if (!std::isfinite(sums.weighted_sum)) return skip(unsettled, "non-finite loss");
  if (!std::isfinite(state_.grad_norm)) {
    // A loss scale is found by lowering it until no gradient overflows: that is no bad step.
    const bool lowers_scale = figures[6] > 1;
    return skip(unsettled, lowers_scale ? "loss scale lowered" : "non-finite gradient",
                !lowers_scale);
  }
  if (!(sums.weight_sum > 0)) return skip(unsettled, "no target");
  state_.bad_steps_in_a_row = 0;
  if (watches_spikes()) {
    const double ce = sums.ce_sum / static_cast<double>(sums.num_tokens);
    add_to_history(state_.ce_history, ce);
    if (is_spike(unsettled.z_score) && report_spike(unsettled, ce)) return;
  }
  state_.num_tokens += sums.num_tokens;
  add(sums, state_.pending);
  timing_.num_tokens += sums.num_tokens;
  timing_.steps += 1;
}

bool Trainer::watches_spikes() const { return options_.training.spike_threshold > 0; }

bool Trainer::is_spike(double z_score) const {
  return watches_spikes() && z_score > options_.training.spike_threshold;
}

// Of the step whose sums are given. On a GPU this waits for it.
double Trainer::spike_z_score_now(const at::Tensor& ce_sum, const StepWeights& weights) const {
  if (!watches_spikes()) return 0;
  return spike_z_score(state_.ce_history,
                       ce_sum.item<double>() / weights.num_tokens.to(at::kDouble).item<double>());
}

// True if the step was skipped.
bool Trainer::report_spike(const UnsettledStep& unsettled, double ce) {
  const SpikeMetrics spike{
      .step = unsettled.step, .rows = unsettled.rows, .ce = ce, .z_score = unsettled.z_score};
  for (RunObserver* sink : sinks_) sink->on_spike(spike);
  if (options_.training.spike_action == SpikeAction::kWarn) return false;
  skip(unsettled, "spike", /*is_bad=*/false);
  return true;
}

void Trainer::skip(const UnsettledStep& unsettled, const std::string& reason, bool is_bad) {
  ++state_.skipped_steps;
  if (is_bad) ++state_.bad_steps_in_a_row;
  const SkipMetrics skipped{.step = unsettled.step, .rows = unsettled.rows, .reason = reason};
  for (RunObserver* sink : sinks_) sink->on_skip(skipped);
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
  metrics.learning_rate = state_.learning_rate;
  metrics.grad_norm = state_.grad_norm;
  metrics.epoch = static_cast<double>(state_.step) / static_cast<double>(plan_.steps_per_epoch());
  metrics.num_tokens = state_.num_tokens;
  metrics.weight_sum = sums.weight_sum;
  metrics.n_eff = sums.weight_sum * sums.weight_sum / sums.square_sum;
  metrics.skipped_steps = state_.skipped_steps;
  metrics.tokens_per_second = static_cast<double>(timing_.num_tokens) / timing_.seconds;
  metrics.step_ms = 1000 * timing_.seconds / static_cast<double>(timing_.steps);
  metrics.peak_memory_gb = peak_memory_gb(parts_.model.device());
  for (RunObserver* sink : sinks_) sink->on_step(metrics);
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

// True if it is the best so far; false too if it was stopped, and then it is still due.
bool Trainer::evaluate_now() {
  const ProfiledPhase phase(parts_.profiler, "evaluation");
  const EvaluationOptions& evaluation = options_.evaluation;
  std::optional<EvalMetrics> result = evaluate(
      parts_.model, *parts_.eval_sequences, parts_.weights.full_weights(), parts_.weights.counts(),
      {.batch_size = evaluation.per_device_eval_batch_size,
       .max_batches = evaluation.eval_max_batches,
       .pad_id = options_.pad_id,
       .logits_chunk_rows = options_.eval_chunk_positions,
       .stop_requested = [this] { return stop_requested(); }});
  if (!result) return false;
  EvalMetrics& metrics = *result;
  metrics.step = state_.step;
  state_.evaluation_due = false;
  for (RunObserver* sink : sinks_) sink->on_eval(metrics);
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

void Trainer::save(bool in_background) {
  if (!unsettled_.empty()) settle();
  const ProfiledPhase phase(parts_.profiler, "checkpoint");
  const CheckpointTensors tensors = checkpoint_tensors();
  const int64_t best_step = keeps_best() ? state_.best_eval->step : -1;
  if (in_background) {
    saver_.start(tensors, state_, best_step);
  } else {
    saver_.save(tensors, state_, best_step);
  }
}

}  // namespace pdl
