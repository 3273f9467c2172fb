#include <map>
#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "pdl/example/example_job.h"

namespace pdl {
namespace {

void run_init(const ExampleJobOptions& options) {
  const std::filesystem::path config = write_example_job(options);
  write_result("", "ready; next: pdl-train --config " + shell_word(config.string()) + "\n");
}

}  // namespace

void add_init_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "init", "Write a self-contained example: corpus, tokenizer, model and run.json");
  auto options = std::make_shared<ExampleJobOptions>();
  command->add_option("DIR", options->folder, "folder to write to; new or empty")->required();
  const std::map<std::string, ExamplePreset> presets = {{"tiny", ExamplePreset::kTiny},
                                                        {"small", ExamplePreset::kSmall}};
  command
      ->add_option("--preset", options->preset,
                   "tiny trains in about a second, small in less than a minute (default small)")
      ->type_name("tiny|small")
      ->transform(CLI::CheckedTransformer(presets));
  command->add_option("--seed", options->seed, "of language, parameters and training (default 42)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command->callback([options] { run_init(*options); });
}

}  // namespace pdl
