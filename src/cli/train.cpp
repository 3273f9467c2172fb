#include <chrono>
#include <memory>

#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/job.h"
#include "cli/output.h"
#include "cli/resume.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/checkpoint/tensor_file.h"
#include "pdl/metrics/console_sink.h"
#include "pdl/metrics/jsonl_sink.h"
#include "pdl/metrics/tensorboard_sink.h"
#include "pdl/trainer/trainer.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kSummaryFile = "summary.json";

TrainerOptions trainer_options(const Job& job) {
  return {.training = job.config.training,
          .schedule = job.config.schedule,
          .evaluation = job.config.evaluation,
          .checkpoint = job.config.checkpoint,
          .max_grad_norm = job.config.optimizer.max_grad_norm,
          .pad_id = job.pad_id,
          .output_dir = job.config.output_dir};
}

RunSummary summarise(const TrainerState& state, const std::string& status, ExitCode code,
                     Clock::time_point start) {
  return {.status = status,
          .exit_code = static_cast<int>(code),
          .steps = state.step,
          .num_tokens = state.num_tokens,
          .wall_seconds = std::chrono::duration<double>(Clock::now() - start).count(),
          .final_train = state.last_train,
          .final_eval = state.last_eval,
          .best_eval = state.best_eval,
          .versions = component_versions(),
          .git_hash = git_hash()};
}

// The files of a run, and the observers that write them.
std::vector<std::unique_ptr<MetricsSink>> open_output(const Job& job, const RunIdentity& identity,
                                                      std::optional<int64_t> resumed_step) {
  const fs::path& folder = job.config.output_dir;
  make_folder(folder);
  remove_unfinished_saves(folder);
  open_log_file(folder / "train.log");
  fs::remove(folder / kSummaryFile);  // until the run has ended, it is not complete
  write_file_durably(folder / "config.json", identity.config_json);
  write_file_durably(folder / "frequency.json", to_json(job.table));
  std::vector<std::unique_ptr<MetricsSink>> sinks;
  sinks.push_back(std::make_unique<ConsoleSink>());
  sinks.push_back(std::make_unique<JsonlSink>(folder / "metrics.jsonl", resumed_step));
  if (job.config.tensorboard)
    sinks.push_back(std::make_unique<TensorBoardSink>(folder / "runs", resumed_step));
  return sinks;
}

void save_final_model(LanguageModel& model, const fs::path& folder) {
  DurableFile file(folder / "model.pt");
  model.save([&](std::string_view bytes) { file.write(bytes); });
  file.close();
  save_tensors(folder / "model.safetensors", model.state());
}

void finish(const Job& job, const std::vector<MetricsSink*>& sinks, const RunSummary& summary) {
  for (MetricsSink* sink : sinks) sink->on_end(summary);
  write_file_durably(job.config.output_dir / kSummaryFile, run_summary_json(summary));
}

void train_to_the_end(const Job& job, Trainer& trainer, const std::vector<MetricsSink*>& sinks,
                      Clock::time_point start) {
  try {
    trainer.run(sinks);
  } catch (const NumericError&) {
    finish(job, sinks, summarise(trainer.state(), "diverged", ExitCode::kDiverged, start));
    throw;
  }
  save_final_model(*job.model, job.config.output_dir);
  const RunSummary summary =
      summarise(trainer.state(), trainer.state().stopped_early ? "early_stopped" : "finished",
                ExitCode::kOk, start);
  finish(job, sinks, summary);
  write_result("", run_summary_json(summary));
}

// A run that is complete on disk; one that died before its last files goes on to write them.
bool is_complete(const Trainer& trainer, const fs::path& folder) {
  return trainer.is_done() && fs::exists(folder / kSummaryFile);
}

void run_train(const ConfigArguments& arguments) {
  if (arguments.file.empty() && arguments.settings.empty()) {
    throw ConfigError("give --config run.json or a command; see pdl-train --help");
  }
  const Clock::time_point start = Clock::now();
  const RunConfig config =
      load_config(arguments.file, arguments.settings,
                  {"model_path", "tokenizer_path", "train_files", "output_dir"});
  const std::optional<fs::path> checkpoint = find_checkpoint(config);
  const Job job = load_job(config);
  const RunIdentity identity = identity_of(job);
  AdamW optimizer(job.model->parameters(), config.optimizer);
  SingleProcess collective;
  Trainer trainer({.model = *job.model,
                   .optimizer = optimizer,
                   .weights = *job.weights,
                   .collective = collective,
                   .train_rows = *job.train_rows,
                   .eval_rows = job.eval_rows ? &*job.eval_rows : nullptr,
                   .identity = identity},
                  trainer_options(job));
  const StartMetrics report = start_metrics(job);
  std::optional<int64_t> resumed_step;
  if (checkpoint) {
    require_same_run(load_trainer_state(*checkpoint).second, identity, *checkpoint);
    trainer.resume(*checkpoint);
    resumed_step = trainer.state().step;
    if (is_complete(trainer, config.output_dir)) {
      log_info(
          trainer.state().stopped_early
              ? "this run is complete: it stopped early; to train on, choose another output_dir"
              : "this run is complete; to go on, raise max_steps (or, without it, "
                "num_train_epochs)");
      return;
    }
  }
  const auto owned_sinks = open_output(job, identity, resumed_step);
  std::vector<MetricsSink*> sinks;
  for (const auto& sink : owned_sinks) sinks.push_back(sink.get());
  for (MetricsSink* sink : sinks) {
    sink->on_start(report);
    if (resumed_step) sink->on_resume(*resumed_step);
  }
  train_to_the_end(job, trainer, sinks, start);
}

}  // namespace

void add_train_command(CLI::App& app) {
  const auto arguments = add_config_arguments(app);
  app.callback([&app, arguments] {
    if (app.get_subcommands().empty()) run_train(*arguments);
  });
  CLI::App* command = app.add_subcommand("train", "The main job; the word may be left out");
  const auto train_arguments = add_config_arguments(*command);
  command->callback([train_arguments] { run_train(*train_arguments); });
}

}  // namespace pdl
