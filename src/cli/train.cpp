#include <c10/core/impl/VirtualGuardImpl.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

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

// When the run began, and where its time goes if the user wants to know.
struct RunClock {
  Clock::time_point start = Clock::now();
  std::optional<Profiler> profiler;
  fs::path profile_folder;

  Profiler* profiler_or_null() { return profiler ? &*profiler : nullptr; }
};

TrainerOptions trainer_options(const Job& job) {
  return {.training = job.config.training,
          .schedule = job.config.schedule,
          .evaluation = job.config.evaluation,
          .checkpoint = job.config.checkpoint,
          .max_grad_norm = job.config.optimizer.max_grad_norm,
          .logits_chunk_rows = job.logits_chunk_rows,
          .eval_logits_chunk_rows = job.eval_logits_chunk_rows,
          .scale_loss = job.config.precision == Precision::kFp16,
          .pad_id = job.pad_id,
          .output_dir = job.config.output_dir};
}

RunSummary summarise(const TrainerState& state, const std::string& status, ExitCode code,
                     const RunClock& clock) {
  return {.status = status,
          .exit_code = static_cast<int>(code),
          .steps = state.step,
          .num_tokens = state.num_tokens,
          .wall_seconds = std::chrono::duration<double>(Clock::now() - clock.start).count(),
          .final_train = state.last_train,
          .final_eval = state.last_eval,
          .best_eval = state.best_eval,
          .versions = component_versions(),
          .git_hash = git_hash(),
          .profile = clock.profiler ? clock.profiler->times() : std::vector<PhaseTime>{}};
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
  job.token_cache->keep();
  job.count_cache->keep();
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
  save_tensors(folder / "model.safetensors", model.stored_state());
}

void finish(const Job& job, const std::vector<MetricsSink*>& sinks, const RunSummary& summary) {
  for (MetricsSink* sink : sinks) sink->on_end(summary);
  write_file_durably(job.config.output_dir / kSummaryFile, run_summary_json(summary));
}

void write_profile(const RunClock& clock) {
  const std::vector<std::string> table =
      profile_table(clock.profiler->times(), clock.profiler->elapsed());
  for (const std::string& line : table) log_info(line);
  const fs::path trace = clock.profile_folder / "trace.json";
  write_file_durably(trace, clock.profiler->trace_json());
  log_info("wrote " + trace.string() + ", for chrome://tracing or ui.perfetto.dev" +
           (clock.profiler->dropped_events() == 0
                ? ""
                : "; it holds the first " + std::to_string(Profiler::kMaxEvents) + " phases"));
}

void train_to_the_end(const Job& job, Trainer& trainer, const std::vector<MetricsSink*>& sinks,
                      RunClock& clock) {
  try {
    trainer.run(sinks);
  } catch (const NumericError&) {
    finish(job, sinks, summarise(trainer.state(), "diverged", ExitCode::kDiverged, clock));
    throw;
  }
  {
    const ProfiledPhase phase(clock.profiler_or_null(), "final model");
    save_final_model(*job.model, job.config.output_dir);
  }
  if (clock.profiler) write_profile(clock);
  const RunSummary summary =
      summarise(trainer.state(), trainer.state().stopped_early ? "early_stopped" : "finished",
                ExitCode::kOk, clock);
  finish(job, sinks, summary);
  write_result("", run_summary_json(summary));
}

// A run that is complete on disk; one that died before its last files goes on to write them.
bool is_complete(const Trainer& trainer, const fs::path& folder) {
  return trainer.is_done() && fs::exists(folder / kSummaryFile);
}

// Waits for the work that the host has given to the device.
std::function<void()> synchronisation(const std::string& device_name) {
  const at::Device device = select_device(device_name);
  if (device.is_cpu()) return {};
  return [device] { c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index()); };
}

RunClock start_clock(const std::string& device, const std::string& profile_folder) {
  RunClock clock;
  if (profile_folder.empty()) return clock;
  clock.profile_folder = profile_folder;
  make_folder(clock.profile_folder);
  clock.profiler.emplace(synchronisation(device));
  return clock;
}

void run_train(const ConfigArguments& arguments, const std::string& profile_folder) {
  if (arguments.file.empty() && arguments.settings.empty()) {
    throw ConfigError("give --config run.json or a command; see pdl-train --help");
  }
  const RunConfig config =
      load_config(arguments.file, arguments.settings,
                  {"model_path", "tokenizer_path", "train_files", "output_dir"});
  RunClock clock = start_clock(config.device, profile_folder);
  ProfiledPhase loading(clock.profiler_or_null(), "loading");
  const std::optional<fs::path> checkpoint = find_checkpoint(config);
  const Job job = load_job(config);
  const RunIdentity identity = identity_of(job);
  const auto optimizer = make_optimizer(job.model->parameters(), config.optimizer);
  SingleProcess collective;
  Trainer trainer({.model = *job.model,
                   .optimizer = *optimizer,
                   .weights = *job.weights,
                   .collective = collective,
                   .train_rows = *job.train_rows,
                   .eval_rows = job.eval_rows ? &*job.eval_rows : nullptr,
                   .identity = identity,
                   .profiler = clock.profiler_or_null()},
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
  loading.end();
  train_to_the_end(job, trainer, sinks, clock);
}

struct TrainArguments {
  std::shared_ptr<ConfigArguments> config;
  std::string profile_folder;  // empty: no profile
};

std::shared_ptr<TrainArguments> add_train_arguments(CLI::App& command) {
  auto arguments = std::make_shared<TrainArguments>();
  arguments->config = add_config_arguments(command);
  command
      .add_option("--profile", arguments->profile_folder,
                  "tell where the time goes: a table at the end, numbers in summary.json, and "
                  "DIR/trace.json for chrome://tracing or Perfetto")
      ->type_name("DIR");
  return arguments;
}

}  // namespace

void add_train_command(CLI::App& app) {
  const auto arguments = add_train_arguments(app);
  app.callback([&app, arguments] {
    if (app.get_subcommands().empty()) run_train(*arguments->config, arguments->profile_folder);
  });
  CLI::App* command = app.add_subcommand("train", "The main job; the word may be left out");
  const auto train_arguments = add_train_arguments(*command);
  command->callback(
      [train_arguments] { run_train(*train_arguments->config, train_arguments->profile_folder); });
}

}  // namespace pdl
