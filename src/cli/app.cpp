#include "cli/app.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/help_formatter.h"
#include "cli/report_error.h"
#include "pdl/base/error.h"
#include "pdl/base/nearest_name.h"
#include "pdl/base/unicode.h"
#include "pdl/run/versions.h"
#include "pdl/tensors/tensor_memory.h"

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

// Called where the runtime gives up, e.g. if an exception leaves a destructor.
[[noreturn]] void end_in_an_error() {
  std::exception_ptr thrown = std::current_exception();
  if (thrown == nullptr) thrown = std::make_exception_ptr(std::logic_error("an error in an error"));
  std::_Exit(report_error(thrown));
}

// The flags of the command that was named, or of `app` if none was, without the dashes.
std::vector<std::string> known_flags(const CLI::App& app) {
  std::vector<std::string> names;
  const auto add = [&](const CLI::App& part) {
    for (const CLI::Option* option : part.get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back(name);
    }
  };
  for (const CLI::App* command : app.get_subcommands()) add(*command);
  if (names.empty()) add(app);
  return names;
}

// ": did you mean --seed?", or "" if nothing known resembles `typed`.
std::string suggestion(std::string_view typed, const std::vector<std::string>& known,
                       const std::string& dashes) {
  const std::vector<std::string_view> names(known.begin(), known.end());
  const std::string nearest = nearest_name(typed, names);
  return nearest.empty() ? "" : ": did you mean " + dashes + nearest + "?";
}

bool is_flag(std::string_view argument) {
  return argument.starts_with("--") || (argument.size() > 1 && argument[0] == '-' &&
                                        std::isalpha(static_cast<unsigned char>(argument[1])) != 0);
}

// Lists the unknown flags or, without any, all arguments that nothing takes. CLI11's own message
// includes the values of unknown flags, in reverse order.
std::string extras_message(const CLI::App& app) {
  constexpr size_t kMaxBytes = 60;  // of what was typed
  const std::vector<std::string> known = known_flags(app);
  std::string flags;
  std::string all;
  std::string first_word;
  for (const std::string& extra : app.remaining(/*recurse=*/true)) {
    all += " " + printable(extra, kMaxBytes);
    if (!is_flag(extra)) {
      if (first_word.empty()) first_word = extra;
      continue;
    }
    const std::string flag = extra.substr(0, extra.find('='));
    flags +=
        (flags.empty() ? "" : "; ") + printable(flag, kMaxBytes) +
        suggestion(flag.substr(std::min(flag.find_first_not_of('-'), flag.size())), known, "--");
  }
  if (!flags.empty()) return "unknown flag " + flags;
  if (!app.get_subcommands().empty()) return "unexpected:" + all;
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
  return "unexpected:" + all + suggestion(first_word, commands, "");
}

// Returns the exit code; throws Error by blame.
// The command line that lists the flags of the command that was given, if one was.
std::string help_of_command(const CLI::App& app) {
  const std::vector<CLI::App*> given = app.get_subcommands();
  return "pdl-train " + (given.empty() ? "" : given.front()->get_name() + " ") + "--help";
}

int run_command_line(int argc, char** argv) {
  CLI::App app("Finetunes a causal language model with the Power-Law Decay Loss.", "pdl-train");
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
  add_generate_command(app);
  add_compare_command(app);
  add_report_command(app);
  add_verify_command(app);
  add_export_command(app);
  add_merge_command(app);
  add_sweep_command(app, exit_code);
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
    constexpr size_t kMaxBytes = 250;
    throw ConfigError(printable(is_extra ? extras_message(app) : problem.what(), kMaxBytes) +
                      "; see " + help_of_command(app));
  }
  return exit_code;
}

}  // namespace

int run_program(int argc, char** argv) {
  std::set_terminate(end_in_an_error);
  pool_tensor_memory();
  // A write beyond `ulimit -f` shall be an error, as one to a full disk is.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return run_command_line(argc, argv);
  } catch (...) {
    return report_error(std::current_exception());
  }
}

}  // namespace pdl
