#include "cli/help_formatter.h"

#include <utility>
#include <vector>

namespace pdl {
namespace {

// CLI11's group for options that name none.
constexpr const char* kOwnOptions = "Options";

std::string option_groups(const CLI::App& app, const CLI::Formatter& formatter) {
  std::string text;
  bool has_keys = false;
  for (const std::string& group : app.get_groups()) {
    const std::vector<const CLI::Option*> options = app.get_options([&](const CLI::Option* option) {
      return option->get_group() == group && option->nonpositional();
    });
    if (options.empty()) continue;
    if (group != kOwnOptions && !has_keys) {
      has_keys = true;
      text += "\nKeys of run.json, which are also flags\n";
    }
    text += formatter.make_group(group, /*is_positional=*/false, options);
  }
  return text;
}

}  // namespace

HelpFormatter::HelpFormatter() {
  label("SUBCOMMAND", "COMMAND");
  label("Positionals", "Arguments");
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode mode) const {
  return make_description(app) + make_usage(app, std::move(name)) + make_subcommands(app, mode) +
         make_positionals(app) + option_groups(*app, *this) + make_footer(app);
}

}  // namespace pdl
