#include "pdl/run/training_run.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "job_trainer.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/folder_lock.h"
#include "pdl/base/log.h"
#include "pdl/metrics/console_sink.h"
#include "pdl/metrics/jsonl_sink.h"
#include "pdl/metrics/tensorboard_sink.h"
#include "pdl/ops/product.h"
#include "pdl/report/report.h"
#include "pdl/run/resume/find_checkpoint.h"
#include "pdl/run/start_report.h"
#include "pdl/run/versions.h"

namespace pdl {
namespace {

// Returns the times of the profile; none without one.
std::vector<PhaseTime> profile_of(const Job& job, const RunContext& context) {
  if (context.profiler == nullptr) return {};
  const ModelInfo& model = job.model->info();
  // Only the program's own decoder counts its products, and only a CPU needs no warming up.
  if (model.is_program || !model.device.is_cpu()) return context.profiler->times();
  return with_floors(context.profiler->times(),
                     measure_multiplication_rate(model.product_precision));
}

RunSummary summarise(const Job& job, const TrainerState& state, RunStatus status, ExitCode code,
                     const RunContext& context) {
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - context.start;
  return {.status = status,
          .exit_code = static_cast<int>(code),
          .steps = state.step,
          .num_tokens = state.ledger.num_tokens,
          .wall_seconds = wall.count(),
          .final_train = state.last_train,
          .final_eval = state.last_eval,
          .best_eval = state.selection.best_eval,
          .compute = describe_compute(job.model->info().device),
          .versions = component_versions(),
          .git_hash = git_hash(),
          .profile = profile_of(job, context)};
}

// Owns the observers that write the files of a run.
void open_output(const Job& job, const RunFolder& folder, const RunIdentity& identity,
                 const std::optional<ResumePoint>& resumed, ObserverGroup& observers) {
  open_log_file(folder.log());
  remove_durably(folder.summary());  // it is of an earlier start
  remove_durably(folder.documents());
  remove_durably(folder.report());
  write_file_durably(folder.frequency(), to_json(job.loss.table));  // first: see require_own()
  write_file_durably(folder.config(), identity.config_json);
  job.caches->keep();
  observers.add(std::make_unique<ConsoleSink>());
  observers.add(std::make_unique<JsonlSink>(folder.metrics(), resumed));
  if (!job.config.samples.sample_prompts.empty()) {
    observers.add(std::make_unique<SampleSink>(folder.samples(), resumed));
  } else if (!resumed) {
    remove_durably(folder.samples());  // those of an earlier start
  }
  if (job.config.tensorboard) {
    observers.add(std::make_unique<TensorBoardSink>(
        folder.tensorboard(), resumed ? std::optional(resumed->step) : std::nullopt));
  }
}

void write_profile(const std::vector<PhaseTime>& times, double elapsed, const RunContext& context) {
  if (context.profiler == nullptr) return;
  const Profiler& profiler = *context.profiler;
  for (const std::string& line : profile_table(times, elapsed)) log_info(line);
  const std::filesystem::path trace = context.profile_folder / "trace.json";
  write_file_durably(trace, profiler.trace_json());
  log_info("wrote " + trace.string() + ", for chrome://tracing or ui.perfetto.dev" +
           (profiler.dropped_events() == 0
                ? ""
                : "; it holds the first " + std::to_string(Profiler::kMaxEvents) + " phases"));
}

void finish(const RunFolder& folder, RunObserver& observer, const RunSummary& summary) {
  observer.on_end(summary);
  write_file_durably(folder.summary(), run_summary_json(summary));
}

// The page shows what other files hold, so that a run does not fail for it.
void write_page(const RunFolder& folder) {
  try {
    write_run_report(folder.path());
  } catch (const Error& problem) {
    log_warning("no report.html: " + std::string(problem.what()));
  }
}

// Returns the status and exit code of a run that its control has requested to end.
std::pair<RunStatus, ExitCode> end_of_stopped(const RunContext& context) {
  const int signal = context.control == nullptr ? 0 : context.control->stop_signal();
  if (signal == 0) return {RunStatus::kTimeLimit, ExitCode::kOk};
  return {RunStatus::kInterrupted, exit_code_of_signal(signal)};
}

RunSummary train_to_the_end(const Job& job, Trainer& trainer, const RunFolder& folder,
                            RunObserver& observer, const RunContext& context) {
  try {
    trainer.run();
  } catch (const NumericError&) {
    finish(folder, observer,
           summarise(job, trainer.state(), RunStatus::kDiverged, ExitCode::kDiverged, context));
    throw;
  }
  auto [status, code] = end_of_stopped(context);
  if (trainer.is_done()) {
    status =
        trainer.state().selection.stopped_early ? RunStatus::kEarlyStopped : RunStatus::kFinished;
    code = ExitCode::kOk;
    const ProfiledPhase phase(context.profiler, "final model");
    job.model->save(folder.path());
    const DocumentTable documents = trainer.evaluate_documents();
    if (!documents.taus.empty()) write_file_durably(folder.documents(), to_jsonl(documents));
  }
  const double elapsed = context.profiler == nullptr ? 0 : context.profiler->elapsed();
  RunSummary summary = summarise(job, trainer.state(), status, code, context);
  write_profile(summary.profile, elapsed, context);
  finish(folder, observer, summary);
  write_page(folder);
  return summary;
}

void log_complete(const TrainerState& state) {
  log_info(state.selection.stopped_early
               ? "this run is complete: it stopped early; to train on, choose another output_dir"
               : "this run is complete; to go on, raise max_steps (or, without it, "
                 "num_train_epochs)");
}

}  // namespace

std::optional<RunSummary> run_training(const RunConfig& config, const RunContext& context) {
  const RunFolder folder(config.output_dir);
  const FolderLock lock(folder.path());
  folder.remove_unfinished();
  ProfiledPhase loading(context.profiler, "loading");
  const std::optional<std::filesystem::path> checkpoint = find_checkpoint(config);
  Job job = load_job(config, context.progress, /*hashes_model=*/true);
  if (context.control != nullptr) context.control->begin();
  job.model->set_profiler(context.profiler);
  ObserverGroup observers;
  JobTrainer job_trainer(job, folder, observers, context);
  Trainer& trainer = job_trainer.trainer();
  const StartMetrics report = start_metrics(job);
  std::optional<ResumePoint> resumed;
  if (checkpoint) {
    job_trainer.resume(*checkpoint);
    resumed = {trainer.state().step, trainer.state().evaluation_due};
    // A run that was stopped or died before it wrote its last files writes them now.
    if (trainer.is_done() && folder.is_complete()) {
      log_complete(trainer.state());
      if (!folder.has_report()) write_page(folder);
      return std::nullopt;
    }
  }
  folder.require_own(job.model->saved_files());
  folder.require_space(trainer.checkpoint_bytes());
  const std::vector<std::filesystem::path> made = folder.absent();
  open_output(job, folder, job_trainer.identity(), resumed, observers);
  observers.on_start(report);
  if (resumed) observers.on_resume(resumed->step);
  loading.end();
  try {
    return train_to_the_end(job, trainer, folder, observers, context);
  } catch (const ModelError&) {
    // Some models fail at the shape of a whole micro-batch alone.
    if (trainer.state().step == 0) {
      for (const std::filesystem::path& path : made) remove_durably(path);
    }
    throw;
  }
}

}  // namespace pdl
