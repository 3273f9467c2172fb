#include "cli/app.h"

#include <malloc.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/help_formatter.h"
#include "cli/report_error.h"
#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/run/versions.h"

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

// Keeps memory of every size in the heap. By default each large tensor is mapped and unmapped anew,
// so that its pages are faulted in and zeroed in every step.
void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TRIM_THRESHOLD, -1);  // never
}

// Called where the runtime gives up, e.g. if an exception leaves a destructor.
[[noreturn]] void end_in_an_error() {
  std::exception_ptr thrown = std::current_exception();
  if (thrown == nullptr) thrown = std::make_exception_ptr(std::logic_error("an error in an error"));
  std::_Exit(report_error(thrown));
}

// Lists the unknown flags or, without any, all arguments that nothing takes. CLI11's own message
// includes the values of unknown flags, in reverse order.
std::string extras_message(const std::vector<std::string>& extras) {
  std::string flags;
  std::string all;
  for (const std::string& extra : extras) {
    all += " " + extra;
    if (extra.starts_with("--")) flags += " " + extra;
  }
  return flags.empty() ? "unexpected:" + all : "unknown flag:" + flags;
}

// Returns the exit code; throws Error by blame.
int run_command_line(int argc, char** argv) {
  CLI::App app("Finetunes a TorchScript causal language model with the Power-Law Decay Loss.",
               "pdl-train");
  app.set_version_flag("--version", version_text,
                       "Print the versions of the program and its libraries");
  app.formatter(std::make_shared<HelpFormatter>());
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
  // Set after the commands are added, because they would inherit the footer.
  for (CLI::App* command : app.get_subcommands({})) command->group("Commands");
  app.footer("\npdl-train COMMAND --help lists the options of a command.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    if (problem.get_exit_code() == 0) {  // --help and --version
      app.exit(problem);
      if (!std::cout.flush()) throw StorageError("cannot write to stdout");
      return 0;
    }
    const bool is_extra = dynamic_cast<const CLI::ExtrasError*>(&problem) != nullptr;
    constexpr size_t kMaxBytes = 200;
    throw ConfigError(
        printable(is_extra ? extras_message(app.remaining(/*recurse=*/true)) : problem.what(),
                  kMaxBytes) +
        "; see pdl-train --help");
  }
  return exit_code;
}

}  // namespace

int run_program(int argc, char** argv) {
  std::set_terminate(end_in_an_error);
  keep_freed_memory();
  // A write beyond `ulimit -f` shall be an error, as one to a full disk is.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return run_command_line(argc, argv);
  } catch (...) {
    return report_error(std::current_exception());
  }
}

}  // namespace pdl
