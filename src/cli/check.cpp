#include <sys/resource.h>

#include <cstdint>
#include <string>

#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "pdl/base/log.h"
#include "pdl/base/text_format.h"
#include "pdl/metrics/console_sink.h"
#include "pdl/run/chat_date.h"
#include "pdl/run/check_run.h"

namespace pdl {
namespace {

std::string megabytes(int64_t bytes) { return fixed(static_cast<double>(bytes) / 1e6, 0) + " MB"; }

int64_t peak_resident_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return int64_t{1024} * usage.ru_maxrss;
}

void run_check(const ConfigArguments& arguments) {
  const RunConfig config =
      with_chat_date(load_config(arguments.file, arguments.settings,
                                 {"model_path", "tokenizer_path", "train_files", "output_dir"}));
  ConsoleSink console;
  const CheckReport report = check_job(config, console, corpus_progress);
  const StepTrial& batch = report.largest_batch;
  log_info("one batch of " + std::to_string(batch.batch_size) + " sequences of " +
           std::to_string(batch.length) + " tokens: loss " + fixed(batch.loss, 4) +
           ", gradient norm " + significant(batch.grad_norm, 3));
  const MemoryPlan& memory = report.memory;
  log_info("memory of tensors: " + megabytes(memory.sum()) + ": weights " +
           megabytes(memory.weights) + ", optimiser state " + megabytes(memory.optimizer) +
           ", gradients and that batch " + megabytes(memory.batch));
  log_info("resident memory so far, with program and data: " + megabytes(peak_resident_bytes()));
  write_result("", "ok\n");
}

}  // namespace

void add_check_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "check",
      "Do everything that a job needs, without training and without leaving anything behind");
  const auto arguments = add_config_arguments(*command);
  command->callback([arguments] { run_check(*arguments); });
}

}  // namespace pdl
