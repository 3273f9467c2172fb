#include "cli/app.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "cli/commands.h"
#include "cli/job.h"
#include "pdl/base/error.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

std::string version_text() {
  std::string text;
  for (const auto& [component, version] : component_versions()) {
    text += component + " " + version + (text.empty() ? " (" + git_hash() + ")" : "") + "\n";
  }
  text.pop_back();
  return text;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app("Finetunes a TorchScript causal language model with the Power-Law Decay Loss.",
               "pdl-train");
  app.set_version_flag("--version", version_text,
                       "Print the versions of the program and its libraries");
  app.require_subcommand(0, 1);
  int exit_code = 0;
  add_train_command(app, exit_code);
  add_init_command(app);
  add_check_command(app);
  add_count_command(app);
  add_weights_command(app);
  add_tokenize_command(app);
  add_eval_command(app);
  add_verify_command(app);
  add_schema_command(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    if (problem.get_exit_code() == 0) {  // --help and --version
      app.exit(problem);
      if (!std::cout.flush()) throw StorageError("cannot write to stdout");
      return 0;
    }
    constexpr size_t kMaxBytes = 200;
    throw ConfigError(printable(problem.what(), kMaxBytes) + "; see pdl-train --help");
  }
  return exit_code;
}

}  // namespace pdl
