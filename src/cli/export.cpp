#include <memory>
#include <string>

#include "cli/commands.h"
#include "pdl/run/export_run.h"

namespace pdl {
namespace {

struct Arguments {
  std::string checkpoint;
  std::string output;
  std::string model_path;
  std::string adapter_path;
};

}  // namespace

void add_export_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "export", "Write the model of a checkpoint as the run's own model would be written");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("CHECKPOINT", arguments->checkpoint, "folder checkpoint-<step>")
      ->type_name("FOLDER")
      ->required();
  command->add_option("--output", arguments->output, "folder to write; new or empty")
      ->type_name("FOLDER")
      ->required();
  command
      ->add_option("--model_path", arguments->model_path,
                   "where the run's model is now (default: where the run had it)")
      ->type_name("PATH");
  command
      ->add_option(
          "--adapter_path", arguments->adapter_path,
          "where the adapter that the run began with is now (default: where the run had it)")
      ->type_name("FOLDER");
  command->callback([arguments] {
    export_checkpoint(arguments->checkpoint, arguments->output, arguments->model_path,
                      arguments->adapter_path);
  });
}

}  // namespace pdl
