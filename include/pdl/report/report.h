// Makes a page that shows runs: whether alpha helped, and what is behind that answer. The page is
// one HTML file with its figures as SVG in it. It has no script and asks for no other file, so that
// it opens offline and where a server forbids scripts and styles. docs/report.md tells what is on
// it.
//
// The page depends on the files of the runs alone: the order of the folders, the working folder and
// the time change nothing.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace pdl {

// Returns the page of at least one run. What compare_runs() refuses is shown side by side, with the
// reason in place of the verdict, and what is missing or damaged in a run is named on the page.
// Throws ConfigError for no folder at all, and DataError for a path that is no folder, or whose
// folder has neither a config.json nor a metrics.jsonl.
std::string report_page(const std::vector<std::filesystem::path>& folders);

// Writes report_page() to `file` durably. Throws StorageError, too.
void write_report(const std::vector<std::filesystem::path>& folders,
                  const std::filesystem::path& file);

// Writes the page of one run as report.html into its folder, as at the end of the run.
void write_run_report(const std::filesystem::path& folder);

}  // namespace pdl
