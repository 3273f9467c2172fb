#include "job_trainer.h"

#include "pdl/checkpoint/checkpoint.h"
#include "pdl/run/resume/require_same_run.h"

namespace pdl {
namespace {

TrainerOptions trainer_options(const Job& job, const RunFolder& folder) {
  const RunConfig& config = job.config;
  return {.step = {.training = config.training,
                   .max_grad_norm = config.optimizer.max_grad_norm,
                   .chunk_positions = job.plan.train_chunk_positions,
                   .scale_loss = config.precision == Precision::kFp16},
          .schedule = config.schedule,
          .evaluation = config.evaluation,
          .evaluator = evaluator_options(job),
          .checkpoint = config.checkpoint,
          .batch = batch_options(job),
          .output_dir = folder.path(),
          .companions = {folder.metrics()}};
}

}  // namespace

JobTrainer::JobTrainer(Job& job, const RunFolder& folder, RunObserver& observer,
                       const RunContext& context)
    : identity_(identity_of(job)),
      optimizer_(
          make_optimizer(with_decay_rule(job.model->parameters().trained), job.config.optimizer)),
      trainer_({.step = {.model = *job.model,
                         .optimizer = *optimizer_,
                         .weights = job.loss.weights,
                         .group = group_,
                         .profiler = context.profiler},
                .train_sequences = *job.data.train,
                .eval_sequences = job.data.eval ? &*job.data.eval : nullptr,
                .identity = identity_,
                .observer = observer,
                .control = context.control},
               trainer_options(job, folder)) {}

void JobTrainer::resume(const std::filesystem::path& checkpoint) {
  require_same_run(load_trainer_state(checkpoint).second, identity_, checkpoint);
  trainer_.resume(checkpoint);
}

}  // namespace pdl
