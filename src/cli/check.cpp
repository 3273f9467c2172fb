#include <sys/resource.h>

#include <algorithm>
#include <cmath>

#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/job.h"
#include "cli/output.h"
#include "cli/resume.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/checkpoint/checkpoint.h"
#include "pdl/data/batch.h"
#include "pdl/metrics/console_sink.h"
#include "pdl/ops/cross_entropy.h"
#include "pdl/optim/gradient_clipping.h"
#include "pdl/optim/optimizer.h"
#include "pdl/trainer/forward_backward.h"
#include "pdl/trainer/trainer.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

// Writes and removes a file in output_dir or, if there is none yet, in the nearest folder above it.
void try_writing(const fs::path& output_dir) {
  fs::path folder = output_dir;
  while (!fs::exists(folder) && folder.has_relative_path()) folder = folder.parent_path();
  if (!fs::is_directory(folder)) {
    throw StorageError("output_dir '" + output_dir.string() + "' cannot be made: '" +
                       folder.string() + "' is no folder");
  }
  DurableFile(folder / ".pdl-train-check").write("pdl-train check\n");
}

// One forward and backward over as many rows of the greatest length as a micro-batch holds.
void try_largest_batch(const Job& job) {
  const RunConfig& config = job.config;
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < job.train_sequences->size(); ++row) {
    const auto length = static_cast<int64_t>(job.train_sequences->tokens(row).size());
    if (length == job.train_sequences->longest()) rows.push_back(row);
    if (std::ssize(rows) == config.training.per_device_train_batch_size) break;
  }
  // Fewer rows of that length than a batch holds: the same row again has the same shape.
  while (std::ssize(rows) <
         std::min(config.training.per_device_train_batch_size, job.train_sequences->size())) {
    rows.push_back(rows.front());
  }
  job.model->set_training(true);
  const Batch batch = make_batch(*job.train_sequences, rows, job.pad_id, job.model->device());
  const at::Tensor& weights = job.weights->at_alpha(config.weights.pdl_alpha);
  const at::Tensor weight_sum = sum_target_weights(batch.targets, weights).weight_sum;
  const BatchLoss sums = forward_backward(*job.model, batch, weights, weight_sum,
                                          {.chunk_positions = job.logits_chunk_rows});
  const auto loss = sums.weighted_sum.div(weight_sum).item<double>();
  const auto optimizer = make_optimizer(job.model->parameters(), config.optimizer);
  const auto norm = gradient_norm(optimizer->gradients(), job.model->device()).item<double>();
  log_info("one batch of " + std::to_string(batch.input_ids.size(0)) + " rows of " +
           std::to_string(batch.input_ids.size(1)) + " tokens: loss " + std::to_string(loss) +
           ", gradient norm " + std::to_string(norm));
}

// Weights, gradients and the optimiser's state, and what was resident at most so far.
void report_memory(const Job& job) {
  constexpr double kMegabyte = 1e6;
  double state = 4.0 * static_cast<double>(count_parameters(*job.model, false) +
                                           count_parameters(*job.model, true));
  const auto optimizer = make_optimizer(job.model->parameters(), job.config.optimizer);
  for (const NamedTensor& tensor : optimizer->state()) {
    state += static_cast<double>(tensor.tensor.nbytes());
  }
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  log_info("memory: weights, gradients and optimiser state " +
           std::to_string(std::llround(state / kMegabyte)) + " MB; peak resident so far " +
           std::to_string(std::llround(1024.0 * static_cast<double>(usage.ru_maxrss) / kMegabyte)) +
           " MB");
}

void run_check(const ConfigArguments& arguments) {
  const RunConfig config =
      load_config(arguments.file, arguments.settings,
                  {"model_path", "tokenizer_path", "train_files", "output_dir"});
  const std::optional<fs::path> checkpoint = find_checkpoint(config);
  const Job job = load_job(config);
  const StartMetrics start = start_metrics(job);
  if (checkpoint) {
    require_same_run(load_trainer_state(*checkpoint).second, identity_of(job), *checkpoint);
    log_info("the job would go on from " + checkpoint->string());
  }
  for (const std::string& line : start_report(start)) log_info(line);
  for (const std::string& line : weight_warnings(start.weights)) log_warning(line);
  try_largest_batch(job);
  report_memory(job);
  try_writing(config.output_dir);
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
