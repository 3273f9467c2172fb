#include "pdl/trainer/trainer.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <variant>

#include "pdl/base/log.h"
#include "pdl/evaluation/evaluator.h"
#include "pdl/optim/schedule.h"
#include "pdl/trainer/device_memory.h"
#include "pdl/weights/weight_formula.h"

namespace pdl {
namespace {

constexpr size_t kPromptsAtOnce = 8;  // between two votes

bool is_due(int64_t step, int64_t interval) { return interval > 0 && step % interval == 0; }

}  // namespace

Trainer::Trainer(const TrainerParts& parts, const TrainerOptions& options)
    : parts_(parts),
      options_(options),
      plan_(parts.train_sequences.size(), options.step.training, parts.step.group.size()),
      total_steps_(plan_.total_steps()),
      step_(parts.step, options.step),
      ledger_(options.step.training, state_.ledger),
      selection_(options.evaluation, state_.selection),
      checkpoints_({.output_dir = options.output_dir,
                    .save_total_limit = options.checkpoint.save_total_limit,
                    .companions = options.companions},
                   tensors_of(parts.step.model, parts.step.optimizer, step_), parts.identity) {}

void Trainer::resume(const std::filesystem::path& checkpoint) {
  state_ = checkpoints_.load(checkpoint);
  parts_.step.model.push_buffers();
  if (const auto best_step = selection_.best_step()) checkpoints_.require_best(*best_step);
}

bool Trainer::is_done() const {
  return (state_.step >= total_steps_ || selection_.stopped_early()) && !state_.evaluation_due;
}

void Trainer::run() {
  BatchLoader loader(parts_.train_sequences, plan_,
                     {.batch = options_.batch,
                      .first_step = state_.step,
                      .end_step = total_steps_,
                      .rank = parts_.step.group.rank(),
                      .num_ranks = parts_.step.group.size()});
  bool goes_on = !state_.evaluation_due || evaluate_and_save();
  while (goes_on && !is_done()) {
    train(loader);
    goes_on = evaluate_and_save();
    checkpoints_.check();
  }
  const std::optional<int64_t> best_step = selection_.best_step();
  if (is_done() && best_step && *best_step != state_.step) {
    checkpoints_.load_best(*best_step);
    documents_.reset();
    parts_.step.model.push_buffers();
  }
}

void Trainer::train(BatchLoader& loader) {
  const auto start = std::chrono::steady_clock::now();
  ProfiledPhase loading(parts_.step.profiler, "batches");
  const StepBatches batches = loader.next();
  loading.end();
  documents_.reset();
  ledger_.add(step_.run(batches, plan_of(state_.step)));
  ++state_.step;
  if (needs_figures()) settle();
  ledger_.add_time(std::chrono::steady_clock::now() - start);
  const bool is_last = state_.step == total_steps_;
  if (is_last) ledger_.require_training();
  if (is_last || is_due(state_.step, options_.step.training.logging_steps)) report_training();
  state_.evaluation_due = parts_.eval_sequences != nullptr &&
                          (is_last || is_due(state_.step, options_.evaluation.eval_steps));
}

StepPlan Trainer::plan_of(int64_t index) const {
  return {.index = index,
          .learning_rate = learning_rate_at(options_.schedule, index, total_steps_),
          .alpha = warmed_up_alpha(parts_.step.weights.options().pdl_alpha, index,
                                   options_.step.training.pdl_alpha_warmup_steps),
          .ce_history = state_.ledger.ce_history};
}

// On the CPU the metrics are available at once. On a GPU reading them waits for it. So there they
// are read before a report or a save, when too many steps in a row could be bad, and when the next
// step is compared with this one.
bool Trainer::needs_figures() const {
  const TrainingOptions& training = options_.step.training;
  return parts_.step.model.info().device.is_cpu() || training.spike_threshold > 0 ||
         state_.step == total_steps_ || is_due(state_.step, training.logging_steps) ||
         is_due(state_.step, options_.evaluation.eval_steps) ||
         is_due(state_.step, options_.checkpoint.save_steps) || ledger_.could_diverge();
}

void Trainer::settle() {
  const ProfiledPhase phase(parts_.step.profiler, "figures");
  for (const StepEvent& event : ledger_.settle()) {
    if (const auto* spike = std::get_if<SpikeMetrics>(&event)) parts_.observer.on_spike(*spike);
    if (const auto* skip = std::get_if<SkipMetrics>(&event)) parts_.observer.on_skip(*skip);
  }
  ledger_.require_progress();
}

void Trainer::report_training() {
  StepMetrics metrics = ledger_.report();
  metrics.step = state_.step;
  metrics.epoch = static_cast<double>(state_.step) / static_cast<double>(plan_.steps_per_epoch());
  metrics.peak_memory_gb = peak_memory_gb(parts_.step.model.info().device);
  parts_.observer.on_step(metrics);
  state_.last_train = metrics;
}

// Does what follows the report of a step. Returns false, with the run saved, if the run shall end
// here.
bool Trainer::evaluate_and_save() {
  Vote wanted;
  const bool improved = state_.evaluation_due && evaluate(wanted);
  if (selection_.stopped_early() && ledger_.has_unreported()) report_training();
  add_vote(parts_.control, parts_.step.group, wanted);
  if (wanted.stop || is_done() || (improved && selection_.keeps_best())) {
    save(/*in_background=*/false);
  } else if (wanted.save || is_due(state_.step, options_.checkpoint.save_steps)) {
    save(/*in_background=*/true);
  }
  return !wanted.stop;
}

// Returns true if the model is the best so far. An evaluation that the ranks vote to break off
// stays due.
bool Trainer::evaluate(Vote& wanted) {
  const ProfiledPhase phase(parts_.step.profiler, "evaluation");
  const auto goes_on = [&] {
    add_vote(parts_.control, parts_.step.group, wanted);
    return !wanted.stop;
  };
  DocumentTable documents;
  std::optional<EvalMetrics> metrics =
      pdl::evaluate(parts_.step.model, *parts_.eval_sequences, parts_.step.weights,
                    options_.evaluator, goes_on, &documents);
  if (!metrics) return false;
  documents_ = std::move(documents);
  metrics->step = state_.step;
  parts_.observer.on_eval(*metrics);
  if (parts_.samples != nullptr && !write_samples(goes_on)) return false;
  state_.evaluation_due = false;
  state_.last_eval = metrics;
  return selection_.add(*metrics);
}

// Returns false if the ranks vote to break off: then the evaluation stays due, and what it wrote is
// written again. The model is in evaluation mode, chance is of no generator, and a program gets its
// buffers back, so that training has the same bits with samples and without. A model that cannot
// write trains on.
bool Trainer::write_samples(const std::function<bool()>& goes_on) {
  const ProfiledPhase phase(parts_.step.profiler, "samples");
  const SamplePrompts& prompts = *parts_.samples;
  const at::NoGradGuard no_grad;
  LanguageModel& model = parts_.step.model;
  const std::vector<at::Tensor> buffers = copy_changing_buffers(model);
  bool is_whole = true;
  for (size_t first = 0; first < prompts.ids.size(); first += kPromptsAtOnce) {
    is_whole = goes_on();
    if (!is_whole) break;
    const std::span group =
        std::span(prompts.ids).subspan(first, std::min(kPromptsAtOnce, prompts.ids.size() - first));
    GenerationSinks sinks;
    sinks.on_sample = [&](Sample sample) {
      sample.prompt_index += static_cast<int64_t>(first);
      const std::string& prompt = prompts.texts[static_cast<size_t>(sample.prompt_index)];
      parts_.observer.on_sample({.step = state_.step,
                                 .sample = std::move(sample),
                                 .prompt = prompt,
                                 .seed = prompts.options.seed});
    };
    const auto warn = [&](const Error& problem) {
      log_warning("no samples at step " + std::to_string(state_.step) + ": " + problem.what());
    };
    try {
      generate(model, prompts.tokenizer, group, prompts.options, sinks);
    } catch (const NumericError& problem) {
      warn(problem);
      break;
    } catch (const ModelError& problem) {
      warn(problem);
      break;
    }
  }
  restore_changing_buffers(model, buffers);
  return is_whole;
}

DocumentTable Trainer::evaluate_documents() {
  if (parts_.eval_sequences == nullptr || options_.evaluator.taus.empty()) return {};
  if (!documents_) {
    const ProfiledPhase phase(parts_.step.profiler, "evaluation");
    documents_.emplace();
    pdl::evaluate(parts_.step.model, *parts_.eval_sequences, parts_.step.weights,
                  options_.evaluator, {}, &*documents_);
  }
  return *documents_;
}

void Trainer::save(bool in_background) {
  if (ledger_.has_pending()) settle();
  const ProfiledPhase phase(parts_.step.profiler, "checkpoint");
  checkpoints_.save(state_, selection_.best_step(), in_background);
}

}  // namespace pdl
