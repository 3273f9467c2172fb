#include <memory>
#include <string>

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
  command
      ->add_option_function<std::string>(
          "--preset",
          [options](const std::string& name) {
            options->preset = name == "tiny" ? ExamplePreset::kTiny : ExamplePreset::kSmall;
          },
          "tiny trains in about a second, small in about half a minute (default small)")
      ->type_name("tiny|small")
      ->check(CLI::IsMember({"tiny", "small"}).description(""));
  command->add_option("--seed", options->seed, "of language, parameters and training (default 42)")
      ->check(CLI::Range(int64_t{0}, std::numeric_limits<int64_t>::max(), "N"))
      ->type_name("");
  command->callback([options] { run_init(*options); });
}

}  // namespace pdl
