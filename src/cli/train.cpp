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
#include "cli/signals.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/folder_lock.h"
#include "pdl/base/log.h"
#include "pdl/metrics/console_sink.h"
#include "pdl/metrics/jsonl_sink.h"
#include "pdl/metrics/tensorboard_sink.h"
#include "pdl/tensors/tensor_file.h"
#include "pdl/trainer/trainer.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kSummaryFile = "summary.json";
constexpr const char* kMetricsFile = "metrics.jsonl";

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
          .eval_chunk_positions = job.eval_chunk_positions,
          .scale_loss = job.config.precision == Precision::kFp16,
          .pad_id = job.pad_id,
          .output_dir = job.config.output_dir,
          .companions = {job.config.output_dir / kMetricsFile}};
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
std::vector<std::unique_ptr<RunObserver>> open_output(const Job& job, const RunIdentity& identity,
                                                      const std::optional<ResumePoint>& resumed) {
  const fs::path& folder = job.config.output_dir;
  open_log_file(folder / "train.log");
  remove_durably(folder / kSummaryFile);  // until the run has ended, it is not complete
  write_file_durably(folder / "config.json", identity.config_json);
  write_file_durably(folder / "frequency.json", to_json(job.table));
  job.token_cache->keep();
  job.count_cache->keep();
  std::vector<std::unique_ptr<RunObserver>> sinks;
  sinks.push_back(std::make_unique<ConsoleSink>());
  sinks.push_back(std::make_unique<JsonlSink>(folder / kMetricsFile, resumed));
  if (job.config.tensorboard) {
    sinks.push_back(std::make_unique<TensorBoardSink>(
        folder / "runs", resumed ? std::optional(resumed->step) : std::nullopt));
  }
  return sinks;
}

void save_final_model(LanguageModel& model, const fs::path& folder) {
  DurableFile file(folder / "model.pt");
  model.save([&](std::string_view bytes) { file.write(bytes); });
  file.close();
  // As a whole, too: the tensors get their name when all of them are on disk.
  const fs::path tensors = folder / "model.safetensors";
  const fs::path unfinished = folder / (std::string(kTemporaryPrefix) + "model.safetensors");
  remove_durably(unfinished);
  save_tensors(unfinished, model.stored_state());
  rename_durably(unfinished, tensors);
}

// Two, because an older checkpoint goes only when a newer one is complete.
void require_space(const Trainer& trainer, const fs::path& folder) {
  const int64_t kept = std::min<int64_t>(1, std::ssize(list_checkpoints(folder)));
  const int64_t needed = (2 - kept) * trainer.checkpoint_bytes();
  const int64_t available = free_bytes(folder);
  if (available >= needed) return;
  throw StorageError("output_dir '" + folder.string() + "' has " + std::to_string(available) +
                     " bytes of free space, and checkpoints will need " + std::to_string(needed) +
                     "; make room, or choose another output_dir");
}

void finish(const Job& job, const std::vector<RunObserver*>& sinks, const RunSummary& summary) {
  for (RunObserver* sink : sinks) sink->on_end(summary);
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

// A run that its control has ended: SIGTERM, SIGINT or the time limit.
int finish_early(const Job& job, const Trainer& trainer, const std::vector<RunObserver*>& sinks,
                 RunClock& clock, int signal) {
  const auto code = static_cast<ExitCode>(signal == 0 ? 0 : 128 + signal);
  if (clock.profiler) write_profile(clock);
  const RunSummary summary =
      summarise(trainer.state(), signal == 0 ? "time_limit" : "interrupted", code, clock);
  finish(job, sinks, summary);
  write_result("", run_summary_json(summary));
  return static_cast<int>(code);
}

// Returns the exit code.
int train_to_the_end(const Job& job, Trainer& trainer, const std::vector<RunObserver*>& sinks,
                     RunClock& clock, const ProcessControl& control) {
  try {
    trainer.run(sinks);
  } catch (const NumericError&) {
    finish(job, sinks, summarise(trainer.state(), "diverged", ExitCode::kDiverged, clock));
    throw;
  }
  if (!trainer.is_done()) return finish_early(job, trainer, sinks, clock, control.signal());
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
  return 0;
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

int run_train(const ConfigArguments& arguments, const std::string& profile_folder) {
  if (arguments.file.empty() && arguments.settings.empty()) {
    throw ConfigError("give --config run.json or a command; see pdl-train --help");
  }
  const RunConfig config =
      load_config(arguments.file, arguments.settings,
                  {"model_path", "tokenizer_path", "train_files", "output_dir"});
  handle_signals();
  RunClock clock = start_clock(config.device, profile_folder);
  const FolderLock lock(config.output_dir);
  for (const fs::path& folder : {config.output_dir, config.output_dir / "cache"})
    remove_temporaries(folder);
  ProfiledPhase loading(clock.profiler_or_null(), "loading");
  const std::optional<fs::path> checkpoint = find_checkpoint(config);
  const Job job = load_job(config);
  const RunIdentity identity = identity_of(job);
  const auto optimizer = make_optimizer(job.model->parameters(), config.optimizer);
  SingleProcessGroup process_group;
  ProcessControl control(clock.start, config.training.max_minutes);
  Trainer trainer({.model = *job.model,
                   .optimizer = *optimizer,
                   .weights = *job.weights,
                   .process_group = process_group,
                   .train_sequences = *job.train_sequences,
                   .eval_sequences = job.eval_sequences ? &*job.eval_sequences : nullptr,
                   .identity = identity,
                   .profiler = clock.profiler_or_null(),
                   .control = &control},
                  trainer_options(job));
  const StartMetrics report = start_metrics(job);
  std::optional<ResumePoint> resumed;
  if (checkpoint) {
    require_same_run(load_trainer_state(*checkpoint).second, identity, *checkpoint);
    trainer.resume(*checkpoint);
    resumed = {trainer.state().step, trainer.state().evaluation_due};
    if (is_complete(trainer, config.output_dir)) {
      log_info(
          trainer.state().stopped_early
              ? "this run is complete: it stopped early; to train on, choose another output_dir"
              : "this run is complete; to go on, raise max_steps (or, without it, "
                "num_train_epochs)");
      return 0;
    }
  }
  require_space(trainer, config.output_dir);
  const auto owned_sinks = open_output(job, identity, resumed);
  std::vector<RunObserver*> sinks;
  for (const auto& sink : owned_sinks) sinks.push_back(sink.get());
  for (RunObserver* sink : sinks) {
    sink->on_start(report);
    if (resumed) sink->on_resume(resumed->step);
  }
  loading.end();
  return train_to_the_end(job, trainer, sinks, clock, control);
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

void add_train_command(CLI::App& app, int& exit_code) {
  const auto arguments = add_train_arguments(app);
  app.callback([&app, &exit_code, arguments] {
    if (app.get_subcommands().empty())
      exit_code = run_train(*arguments->config, arguments->profile_folder);
  });
  CLI::App* command = app.add_subcommand("train", "The main job; the word may be left out");
  const auto train_arguments = add_train_arguments(*command);
  command->callback([&exit_code, train_arguments] {
    exit_code = run_train(*train_arguments->config, train_arguments->profile_folder);
  });
}

}  // namespace pdl
