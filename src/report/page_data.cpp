#include "page_data.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "markup.h"
#include "pdl/base/error.h"
#include "pdl/base/text_format.h"
#include "pdl/comparison/learning_rates.h"

namespace pdl::report {

namespace fs = std::filesystem;

namespace {

// The folder that all others are in, and the names of the folders from there.
fs::path name_runs(std::vector<RunData>& runs) {
  fs::path common = runs.front().folder.parent_path();
  for (const RunData& run : runs) {
    const fs::path parent = run.folder.parent_path();
    const auto [end, ignored] =
        std::mismatch(common.begin(), common.end(), parent.begin(), parent.end());
    fs::path shared;
    for (auto part = common.begin(); part != end; ++part) shared /= *part;
    common = shared;
  }
  for (RunData& run : runs) run.name = run.folder.lexically_relative(common).string();
  return common;
}

// Takes the path that all runs share out of a message, so that the page does not depend on where
// the folders lie.
std::string without_path(std::string text, const fs::path& common) {
  const std::string prefix = common.string() + (common == common.root_path() ? "" : "/");
  if (prefix == "/") return text;
  for (size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at)) {
    text.erase(at, prefix.size());
  }
  return text;
}

void sort_runs(std::vector<RunData>& runs) {
  const auto key = [](const RunData& run) {
    return std::tuple(run.alpha.value_or(INFINITY), run.seed.value_or(INT64_MAX), run.folder);
  };
  std::sort(runs.begin(), runs.end(),
            [&](const RunData& a, const RunData& b) { return key(a) < key(b); });
}

bool is_unpaired(const RunData& run, const Comparison& comparison) {
  return std::any_of(
      comparison.unpaired.begin(), comparison.unpaired.end(),
      [&](const UnpairedRun& other) { return other.alpha == run.alpha && other.seed == run.seed; });
}

void group_by_alpha(const std::vector<fs::path>& compared, PageData& page) {
  for (const RunData& run : page.runs) {
    if (std::find(compared.begin(), compared.end(), run.folder) == compared.end()) {
      page.left_out.push_back(run.name + ": another learning rate was better for its alpha");
      continue;
    }
    if (is_unpaired(run, *page.comparison)) {
      page.left_out.push_back(
          run.name + ": " +
          describe(UnpairedRun{.alpha = run.alpha.value_or(0), .seed = run.seed.value_or(0)}));
      continue;
    }
    if (page.groups.empty() || page.groups.back().alpha != run.alpha) {
      page.groups.push_back({.label = "alpha " + shortest_decimal(run.alpha.value_or(0)),
                             .alpha = run.alpha,
                             .runs = {},
                             .series = page.groups.size()});
    }
    page.groups.back().runs.push_back(&run);
  }
}

void group_singly(PageData& page) {
  constexpr size_t kMaxCharacters = 40;
  for (const RunData& run : page.runs) {
    page.groups.push_back({.label = shortened(run.name, kMaxCharacters),
                           .alpha = run.alpha,
                           .runs = {&run},
                           .series = page.groups.size()});
  }
}

}  // namespace

PageData load_page_data(const std::vector<fs::path>& folders) {
  if (folders.empty()) throw ConfigError("there is no run to report; name the output_dir of one");
  PageData page;
  for (const fs::path& folder : folders) page.runs.push_back(read_run(folder));
  sort_runs(page.runs);
  const fs::path common = name_runs(page.runs);
  for (RunData& run : page.runs) {
    for (std::string& note : run.notes) note = without_path(std::move(note), common);
  }
  if (!page.is_one_run()) {
    try {
      std::vector<fs::path> all;
      for (const RunData& run : page.runs) all.push_back(run.folder);
      const std::vector<fs::path> compared = choose_runs(all).folders;
      page.comparison = compare_runs(compared);
      group_by_alpha(compared, page);
    } catch (const Error& problem) {
      if (problem.code() != ExitCode::kConfig && problem.code() != ExitCode::kData) throw;
      page.refusal = without_path(problem.what(), common);
    }
  }
  if (!page.comparison) group_singly(page);
  return page;
}

std::optional<double> mean_over(
    const RunGroup& group, const std::function<std::optional<double>(const RunData& run)>& figure) {
  double sum = 0;
  for (const RunData* run : group.runs) {
    const std::optional<double> value = figure(*run);
    if (!value) return std::nullopt;
    sum += *value;
  }
  return sum / static_cast<double>(group.runs.size());
}

std::vector<const RunGroup*> groups_with_documents(const PageData& page) {
  std::vector<const RunGroup*> groups;
  for (const RunGroup& group : page.groups) {
    const bool has_all = std::all_of(group.runs.begin(), group.runs.end(),
                                     [](const RunData* run) { return run->documents.has_value(); });
    if (has_all) groups.push_back(&group);
  }
  return groups;
}

}  // namespace pdl::report
