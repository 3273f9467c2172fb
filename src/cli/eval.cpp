#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "pdl/base/log.h"
#include "pdl/metrics/jsonl_sink.h"
#include "pdl/run/chat_date.h"
#include "pdl/run/job.h"

namespace pdl {
namespace {

void run_eval(const ConfigArguments& arguments) {
  const RunConfig config = with_chat_date(load_config(
      arguments.file, arguments.settings, {"model_path", "tokenizer_path", "eval_files"}));
  const Job job = load_job(config, corpus_progress);
  log_info("evaluating " + config.model_path.string());
  const std::optional<EvalMetrics> metrics =
      evaluate(*job.model, *job.data.eval, job.loss.weights, evaluator_options(job));
  write_result("", eval_metrics_json(*metrics) + "\n");
}

}  // namespace

void add_eval_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("eval", "Evaluate a model on eval_files; prints one JSON object");
  const auto arguments = add_config_arguments(*command);
  command->callback([arguments] { run_eval(*arguments); });
}

}  // namespace pdl
