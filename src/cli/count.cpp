#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/file_job.h"
#include "cli/job.h"
#include "cli/output.h"
#include "pdl/base/error.h"
#include "pdl/frequency/token_counts.h"

namespace pdl {
namespace {

struct CountArguments {
  std::shared_ptr<ConfigArguments> config;
  std::vector<std::string> files;
  std::string output;
};

TokenCounts count_files(const CountArguments& arguments) {
  const FileJob job = load_file_job(arguments.config->settings, arguments.files);
  return count_corpus(job.corpus, {.num_threads = job.num_threads});
}

TokenCounts count_job(const CountArguments& arguments) {
  return load_job(load_config(arguments.config->file, arguments.config->settings,
                              {"model_path", "tokenizer_path", "train_files"}))
      .table;
}

void run_count(const CountArguments& arguments) {
  if (arguments.config->file.empty() == arguments.files.empty()) {
    throw ConfigError("count takes either --config run.json or --tokenizer_path T and FILE…");
  }
  write_result(arguments.output,
               to_json(arguments.files.empty() ? count_job(arguments) : count_files(arguments)));
}

}  // namespace

void add_count_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "count",
      "Make a frequency table: of a job (--config), or of every token of FILE… (--tokenizer_path)");
  auto arguments = std::make_shared<CountArguments>();
  arguments->config = add_config_arguments(*command, text_keys());
  command->add_option("--output", arguments->output, "file for the table; without it, stdout")
      ->type_name("FILE");
  command->add_option("FILE", arguments->files, "text files of the reference corpus");
  command->callback([arguments] { run_count(*arguments); });
}

}  // namespace pdl
