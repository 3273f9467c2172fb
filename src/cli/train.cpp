#include <c10/core/impl/VirtualGuardImpl.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/metrics/jsonl_sink.h"
#include "pdl/ops/product.h"
#include "pdl/run/chat_date.h"
#include "pdl/run/compute_plan.h"
#include "pdl/run/training_run.h"

namespace pdl {
namespace {

// Waits for the work queued on the device.
std::function<void()> synchronisation(const std::string& device_name) {
  const at::Device device = select_device(device_name);
  if (device.is_cpu()) return {};
  return [device] { c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index()); };
}

// Returns the exit code. `profile_folder` is empty for no profile.
int run_train(const ConfigArguments& arguments, const std::string& profile_folder) {
  if (arguments.file.empty() && arguments.settings.empty()) {
    throw ConfigError("give --config run.json or a command; see pdl-train --help");
  }
  const RunConfig config =
      with_chat_date(load_config(arguments.file, arguments.settings,
                                 {"model_path", "tokenizer_path", "train_files", "output_dir"}));
  handle_signals();
  const auto start = std::chrono::steady_clock::now();
  std::optional<Profiler> profiler;
  if (!profile_folder.empty()) {
    make_folder(profile_folder);
    profiler.emplace(synchronisation(config.device), count_multiplications);
  }
  ProcessControl control(start, config.training.max_minutes);
  const std::optional<RunSummary> summary =
      run_training(config, {.control = &control,
                            .profiler = profiler ? &*profiler : nullptr,
                            .profile_folder = profile_folder,
                            .progress = corpus_progress,
                            .start = start});
  if (!summary) return 0;
  write_result("", run_summary_json(*summary));
  return summary->exit_code;
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
  CLI::App* command = app.add_subcommand("train", "Train a model; the word train may be left out");
  const auto train_arguments = add_train_arguments(*command);
  command->callback([&exit_code, train_arguments] {
    exit_code = run_train(*train_arguments->config, train_arguments->profile_folder);
  });
}

}  // namespace pdl
