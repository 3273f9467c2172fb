#include "pdl/run/check_run.h"

#include "pdl/base/log.h"
#include "pdl/checkpoint/checkpoint.h"
#include "pdl/distributed/process_group.h"
#include "pdl/run/job.h"
#include "pdl/run/resume/find_checkpoint.h"
#include "pdl/run/resume/require_same_run.h"
#include "pdl/run/run_folder.h"
#include "pdl/run/start_report.h"

namespace pdl {
namespace {

int64_t state_bytes(const ParameterSet& parameters, const Optimizer& optimizer) {
  int64_t bytes = 4 * (2 * count_elements(parameters.trained) + count_elements(parameters.frozen));
  for (const NamedTensor& state : optimizer.state()) {
    bytes += static_cast<int64_t>(state.tensor.nbytes());
  }
  return bytes;
}

}  // namespace

CheckReport check_job(const RunConfig& config, RunObserver& observer,
                      const ProgressFactory& progress) {
  CheckReport report;
  report.checkpoint = find_checkpoint(config);
  Job job = load_job(config, progress);
  const StartMetrics start = start_metrics(job);
  if (report.checkpoint) {
    require_same_run(load_trainer_state(*report.checkpoint).second, identity_of(job),
                     *report.checkpoint);
    log_info("the job would go on from " + report.checkpoint->string());
  }
  observer.on_start(start);
  const auto optimizer =
      make_optimizer(with_decay_rule(job.model->parameters().trained), config.optimizer);
  SingleProcessGroup group;
  TrainingStep step(
      {.model = *job.model, .optimizer = *optimizer, .weights = job.loss.weights, .group = group},
      {.training = config.training, .chunk_positions = job.plan.train_chunk_positions});
  report.largest_batch = step.try_largest(
      *job.data.train, config.training.per_device_train_batch_size, job.data.pad_id);
  report.state_bytes = state_bytes(job.model->parameters(), *optimizer);
  RunFolder(config.output_dir).try_writing();
  return report;
}

}  // namespace pdl
