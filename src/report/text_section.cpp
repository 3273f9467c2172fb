#include <algorithm>
#include <array>
#include <cmath>

#include "markup.h"
#include "sections.h"

namespace pdl::report {
namespace {

// Amounts, which are neither near nor far.
constexpr std::array<std::string_view, 2> kAmounts = {"tokens", "words"};

bool is_amount(const std::string& name) {
  return name.ends_with("_skipped") ||
         std::find(kAmounts.begin(), kAmounts.end(), name) != kAmounts.end();
}

// Divergences from human text are distances themselves.
bool is_distance(const std::string& name) {
  return name.starts_with("js_") || name.starts_with("kl_");
}

std::optional<double> metric_of(const RunData& run, const std::string& name,
                                std::optional<double> TextMetric::*figure) {
  for (const TextMetric& metric : run.text_quality) {
    if (metric.name == name) return metric.*figure;
  }
  return std::nullopt;
}

struct MetricRow {
  std::string name;
  std::optional<double> human;
  std::optional<double> floor;
  std::vector<std::optional<double>> groups;
};

MetricRow row_of(const std::string& name, const std::vector<const RunGroup*>& groups) {
  const auto mean = [&](const RunGroup& group, std::optional<double> TextMetric::*figure) {
    return mean_over(group, [&](const RunData& run) { return metric_of(run, name, figure); });
  };
  MetricRow row{.name = name,
                .human = mean(*groups.front(), &TextMetric::human),
                .floor = mean(*groups.front(), &TextMetric::floor),
                .groups = {}};
  for (const RunGroup* group : groups) row.groups.push_back(mean(*group, &TextMetric::generated));
  return row;
}

std::optional<double> distance(const MetricRow& row, const std::optional<double>& value) {
  if (!value || is_amount(row.name)) return std::nullopt;
  if (is_distance(row.name)) return *value;
  return row.human ? std::optional(std::abs(*value - *row.human)) : std::nullopt;
}

// True where a group is farther from human text than the first one, and than human text is.
bool is_farther(const MetricRow& row, size_t group) {
  const std::optional<double> own = distance(row, row.groups[group]);
  const std::optional<double> plain = distance(row, row.groups.front());
  const std::optional<double> floor = distance(row, row.floor);
  return own && plain && *own > *plain && (!floor || *own > *floor);
}

std::string shown(const std::string& name, const std::optional<double>& value) {
  return is_amount(name) ? decimals(value, 0) : decimals(value, 4);
}

}  // namespace

std::string text_section(const PageData& page) {
  std::vector<const RunGroup*> groups;
  for (const RunGroup& group : page.groups) {
    const bool has_all = std::none_of(group.runs.begin(), group.runs.end(),
                                      [](const RunData* run) { return run->text_quality.empty(); });
    if (has_all) groups.push_back(&group);
  }
  if (groups.empty()) return "";
  const bool has_plain = page.comparison && groups.front()->alpha == 0;
  Table table{
      .caption = "Figures of generated text", .head = {"figure", "human", "floor"}, .rows = {}};
  for (const RunGroup* group : groups) table.head.push_back(group->label);
  for (const TextMetric& metric : groups.front()->runs.front()->text_quality) {
    const MetricRow row = row_of(metric.name, groups);
    std::vector<Cell>& cells = table.rows.emplace_back();
    cells = {text_cell(row.name), number_cell(shown(row.name, row.human)),
             number_cell(shown(row.name, row.floor))};
    for (size_t i = 0; i < groups.size(); ++i) {
      cells.push_back(number_cell(shown(row.name, row.groups[i])));
      if (has_plain && is_farther(row, i)) cells.back().html += " <b>farther</b>";
    }
  }
  std::string meaning =
      "Human is what people wrote after the same prompts, floor is other human text of the same "
      "size: a figure as far from human as the floor is as near as can be.";
  if (has_plain) {
    meaning +=
        " Farther: farther from human than alpha 0 and than the floor. Differences of the size of "
        "those between two samples mean nothing, and these figures do not make the verdict.";
  }
  return section("text", "Generated text in figures", to_html(table) + paragraph(meaning));
}

}  // namespace pdl::report
