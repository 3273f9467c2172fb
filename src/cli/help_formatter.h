// The text of --help.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace pdl {

// Lists commands first, then the options of the command itself, then the keys of run.json in the
// groups of the table of keys. A subcommand inherits the formatter that its parent has when it is
// added, so set this one first.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;
};

}  // namespace pdl
