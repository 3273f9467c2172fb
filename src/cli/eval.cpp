#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/quality_arguments.h"
#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/config/bias_grid.h"
#include "pdl/metrics/bias_curve.h"
#include "pdl/metrics/jsonl_sink.h"
#include "pdl/run/chat_date.h"
#include "pdl/run/job.h"

namespace pdl {
namespace {

// Adds a member to the text of an object.
std::string with_member(std::string object, const std::string& name, const std::string& value) {
  object.pop_back();
  return object + ",\"" + name + "\":" + value + "}";
}

// What was typed; empty: nothing.
struct BiasArguments {
  std::string grid;
  std::string per_document;
};

// Evaluates, writes the figures of the documents, and returns the object.
std::string evaluate_with(const Job& job, const BiasArguments& arguments,
                          const std::vector<double>& grid) {
  EvaluatorOptions options = evaluator_options(job);
  options.taus = grid;
  if (grid.empty() && !arguments.per_document.empty()) options.taus = {0};
  std::optional<DurableFile> file;  // opened before what takes long
  if (!arguments.per_document.empty()) file.emplace(arguments.per_document);
  DocumentTable documents;
  EvalMetrics metrics =
      evaluate(*job.model, *job.data.eval, job.loss.weights, options, {}, &documents).value();
  if (file) {
    file->write(to_jsonl(documents));
    file->close();
  }
  if (!grid.empty()) {
    return with_member(eval_metrics_json(metrics), "bias_grid",
                       bias_grid_json(bias_curve(documents)));
  }
  metrics.best_tau.reset();
  metrics.detilted_ce.reset();
  return eval_metrics_json(metrics);
}

void run_eval(const ConfigArguments& arguments, const BiasArguments& bias_arguments,
              const QualityArguments& quality_arguments) {
  const std::vector<double> grid = parse_bias_grid(bias_arguments.grid, "--bias_grid");
  const std::optional<TextQualityOptions> quality_wanted = quality_options(quality_arguments);
  const RunConfig config = with_chat_date(load_config(
      arguments.file, arguments.settings, {"model_path", "tokenizer_path", "eval_files"}));
  const Job job = load_job(config, corpus_progress);
  std::optional<TextQualityRun> quality;
  if (quality_wanted) quality.emplace(job, *quality_wanted);
  log_info("evaluating " + config.model_path.string());
  std::string result = evaluate_with(job, bias_arguments, grid);
  if (quality)
    result = with_member(result, "text_quality", measure_texts(*quality, quality_arguments));
  write_result("", result + "\n");
}

}  // namespace

void add_eval_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("eval", "Evaluate a model on eval_files; prints one JSON object");
  const auto arguments = add_config_arguments(*command);
  const auto biases = std::make_shared<BiasArguments>();
  command->add_option(
      "--bias_grid", biases->grid,
      "LOW:HIGH:STEP of tau: evaluate also with tau*ln(count+1) added to the logits");
  command->add_option("--per_document", biases->per_document,
                      "file for a JSON line a document, with its figures for each tau");
  const auto quality = add_quality_arguments(*command);
  command->callback([arguments, biases, quality] { run_eval(*arguments, *biases, *quality); });
}

}  // namespace pdl
