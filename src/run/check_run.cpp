#include "pdl/run/check_run.h"

#include <array>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <string>

#include "job_trainer.h"
#include "pdl/base/log.h"
#include "pdl/run/resume/find_checkpoint.h"
#include "pdl/run/start_report.h"
#include "pdl/trainer/device_memory.h"

namespace pdl {
namespace {

// A model that has learnt anything is better than one that takes every token for as probable.
void warn_of_a_loss_of_chance(double loss, int64_t vocab_size) {
  if (!std::isfinite(loss)) {
    log_warning(
        "the loss of the first batch is not finite; a run skips such steps, and ends with "
        "exit code 7 if there are too many");
    return;
  }
  const double chance = std::log(static_cast<double>(vocab_size));
  if (loss <= chance) return;
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(),
                "the first loss is %.3f, above %.3f, that of equal probabilities for all %" PRId64
                " tokens",
                loss, chance, vocab_size);
  log_warning(std::string(text.data()) +
              ": is the tokenizer the model's own? Of an untrained model this is to be expected");
}

int64_t bytes_of(const std::vector<NamedTensor>& tensors) {
  int64_t sum = 0;
  for (const NamedTensor& tensor : tensors) sum += static_cast<int64_t>(tensor.tensor.nbytes());
  return sum;
}

// `peak` is what the largest batch added to the tensors that were there before.
MemoryPlan plan_memory(const LanguageModel& model, int64_t checkpoint_bytes, int64_t peak) {
  const ParameterSet& parameters = model.parameters();
  const int64_t saved = bytes_of(parameters.all());
  return {.weights = saved + bytes_of(parameters.fixed),
          .optimizer = checkpoint_bytes - saved,
          .batch = peak};
}

}  // namespace

CheckReport check_job(const RunConfig& config, RunObserver& observer,
                      const ProgressFactory& progress) {
  CheckReport report;
  report.checkpoint = find_checkpoint(config);
  Job job = load_job(config, progress, /*hashes_model=*/true);
  const RunFolder folder(config.output_dir);
  JobTrainer job_trainer(job, folder, observer, {});
  Trainer& trainer = job_trainer.trainer();
  const StartMetrics start = start_metrics(job);
  if (report.checkpoint) {
    job_trainer.resume(*report.checkpoint);
    log_info("the job would go on from " + report.checkpoint->string());
  }
  observer.on_start(start);
  const MemoryMeasurement measurement(job.model->info().device);
  report.largest_batch = trainer.try_largest();
  report.memory = plan_memory(*job.model, trainer.checkpoint_bytes(), measurement.peak());
  warn_of_a_loss_of_chance(report.largest_batch.loss, job.model->info().vocab_size);
  folder.require_own(job.model->saved_files());
  folder.require_space(trainer.checkpoint_bytes());
  folder.try_writing();
  return report;
}

}  // namespace pdl
