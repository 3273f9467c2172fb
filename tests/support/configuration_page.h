// Makes docs/configuration.md from the table of keys.
#pragma once

#include <string>

namespace pdl {

// Returns the whole page as Markdown: how run.json is read, then a table of keys for each group.
std::string configuration_page();

// The command that writes the page again, named by the page and by the test that compares it.
inline constexpr const char* kConfigurationPageCommand =
    "cmake --build --preset dev --target configuration_page";

}  // namespace pdl
