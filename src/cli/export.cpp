#include <memory>
#include <string>

#include "cli/commands.h"
#include "pdl/run/export_run.h"

namespace pdl {
namespace {

struct ExportArguments {
  std::string source;  // checkpoint or adapter
  std::string output;
  std::string model_path;
};

std::shared_ptr<ExportArguments> add_arguments(CLI::App& command, const std::string& source,
                                               const std::string& source_help) {
  auto arguments = std::make_shared<ExportArguments>();
  command.add_option(source, arguments->source, source_help)->type_name("FOLDER")->required();
  command.add_option("--output", arguments->output, "folder to write; new or empty")
      ->type_name("FOLDER")
      ->required();
  return arguments;
}

}  // namespace

void add_export_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "export", "Write the model of a checkpoint as the run's own model would be written");
  const auto arguments = add_arguments(*command, "CHECKPOINT", "folder checkpoint-<step>");
  command
      ->add_option("--model_path", arguments->model_path,
                   "where the run's model is now (default: where the run had it)")
      ->type_name("PATH");
  command->callback([arguments] {
    export_checkpoint(arguments->source, arguments->output, arguments->model_path);
  });
}

void add_merge_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("merge", "Merge a LoRA adapter into the Hugging Face folder of its base");
  const auto arguments = add_arguments(*command, "ADAPTER", "folder with adapter_config.json");
  command->add_option("--model_path", arguments->model_path, "folder of the base model")
      ->type_name("FOLDER")
      ->required();
  command->callback(
      [arguments] { merge_adapter(arguments->source, arguments->model_path, arguments->output); });
}

}  // namespace pdl
