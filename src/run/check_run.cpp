#include "pdl/run/check_run.h"

#include "job_trainer.h"
#include "pdl/base/log.h"
#include "pdl/run/resume/find_checkpoint.h"
#include "pdl/run/start_report.h"

namespace pdl {

CheckReport check_job(const RunConfig& config, RunObserver& observer,
                      const ProgressFactory& progress) {
  CheckReport report;
  report.checkpoint = find_checkpoint(config);
  Job job = load_job(config, progress);
  const RunFolder folder(config.output_dir);
  JobTrainer job_trainer(job, folder, observer, {});
  Trainer& trainer = job_trainer.trainer();
  const StartMetrics start = start_metrics(job);
  if (report.checkpoint) {
    job_trainer.resume(*report.checkpoint);
    log_info("the job would go on from " + report.checkpoint->string());
  }
  observer.on_start(start);
  report.largest_batch = trainer.try_largest();
  report.state_bytes =
      trainer.checkpoint_bytes() + 4 * count_elements(job.model->parameters().trained);
  folder.require_own(job.model->saved_files());
  folder.require_space(trainer.checkpoint_bytes());
  folder.try_writing();
  return report;
}

}  // namespace pdl
