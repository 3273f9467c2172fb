#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "pdl/base/error.h"
#include "pdl/base/log.h"
#include "pdl/base/unicode.h"
#include "pdl/report/report.h"

namespace pdl {
namespace {

struct ReportArguments {
  std::vector<std::string> runs;
  std::string output = "report.html";
};

void run_report(const ReportArguments& arguments) {
  if (arguments.output.empty()) throw ConfigError("--output: is empty; name the file of the page");
  write_report({arguments.runs.begin(), arguments.runs.end()}, arguments.output);
  log_info("wrote " + printable(arguments.output, SIZE_MAX));
}

}  // namespace

void add_report_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "report", "Write a page that shows runs: verdict, figures, samples; no script, no network");
  auto arguments = std::make_shared<ReportArguments>();
  command->add_option("RUN", arguments->runs, "folders of runs, finished or not")
      ->type_name("FOLDER...")
      ->required();
  command->add_option("--output", arguments->output, "the page; default: report.html")
      ->type_name("FILE.html");
  command->callback([arguments] { run_report(*arguments); });
}

}  // namespace pdl
