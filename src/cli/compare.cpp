#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/output.h"
#include "pdl/base/log.h"
#include "pdl/comparison/comparison.h"

namespace pdl {
namespace {

struct CompareArguments {
  std::vector<std::string> runs;
  bool json = false;
};

void run_compare(const CompareArguments& arguments) {
  const Comparison comparison = compare_runs({arguments.runs.begin(), arguments.runs.end()});
  if (!arguments.json) {
    write_result("", to_table(comparison));  // names the runs that are left out
    return;
  }
  for (const UnpairedRun& run : comparison.unpaired) log_warning("left out: " + describe(run));
  write_result("", to_json(comparison));
}

}  // namespace

void add_compare_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "compare", "Say whether alpha helped: runs of several alphas and seeds against alpha 0");
  auto arguments = std::make_shared<CompareArguments>();
  command->add_option("RUN", arguments->runs, "folders of finished runs")
      ->type_name("FOLDER")
      ->required();
  command->add_flag("--json", arguments->json, "one JSON object instead of the table");
  command->callback([arguments] { run_compare(*arguments); });
}

}  // namespace pdl
