#include <memory>
#include <string>

#include "cli/commands.h"
#include "pdl/run/export_run.h"

namespace pdl {
namespace {

struct Arguments {
  std::string adapter;
  std::string model_path;
  std::string output;
};

}  // namespace

void add_merge_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("merge", "Merge a LoRA adapter into the Hugging Face folder of its base");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("ADAPTER", arguments->adapter, "folder with adapter_config.json")
      ->type_name("FOLDER")
      ->required();
  command->add_option("--model_path", arguments->model_path, "folder of the base model")
      ->type_name("FOLDER")
      ->required();
  command->add_option("--output", arguments->output, "folder to write; new or empty")
      ->type_name("FOLDER")
      ->required();
  command->callback(
      [arguments] { merge_adapter(arguments->adapter, arguments->model_path, arguments->output); });
}

}  // namespace pdl
