// What the page shows: the runs, what comparing them gave, and how they are put together.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pdl/comparison/comparison.h"
#include "run_data.h"

namespace pdl::report {

// Runs whose figures are shown as their mean: those of one alpha or, if runs are not compared, a
// single run.
struct RunGroup {
  std::string label;  // for people
  std::optional<double> alpha;
  std::vector<const RunData*> runs;  // by seed; not empty
  size_t series = 0;                 // its colour, dash and shape
};

struct PageData {
  std::vector<RunData> runs;             // by alpha, seed and name
  std::optional<Comparison> comparison;  // none for one run, or if runs are not comparable
  std::string refusal;                   // why runs are not compared
  std::vector<RunGroup> groups;
  std::vector<std::string> left_out;  // runs that no group has, and why

  bool is_one_run() const { return runs.size() == 1; }
};

// Throws what report_page() does.
PageData load_page_data(const std::vector<std::filesystem::path>& folders);

// The mean of what `figure` finds of each run of the group; none if a run lacks it.
std::optional<double> mean_over(
    const RunGroup& group, const std::function<std::optional<double>(const RunData& run)>& figure);

// The groups of which every run has documents.
std::vector<const RunGroup*> groups_with_documents(const PageData& page);

}  // namespace pdl::report
