#include <cmath>

#include "plot.h"
#include "sections.h"

namespace pdl::report {
namespace {

constexpr size_t kBands = kFrequencyBands.size();

// Of the last evaluation.
const BandFigures* band_of(const RunData& run, size_t band) {
  return run.evals.empty() ? nullptr : &run.evals.back().bands[band];
}

std::optional<double> mean_of(const RunGroup& group, size_t band,
                              std::optional<double> BandFigures::*figure) {
  return mean_over(group, [&](const RunData& run) {
    const BandFigures* figures = band_of(run, band);
    return figures == nullptr ? std::nullopt : figures->*figure;
  });
}

std::optional<double> target_share(const RunData& run, size_t band) {
  double all = 0;
  for (size_t i = 0; i < kBands; ++i) {
    const BandFigures* figures = band_of(run, i);
    if (figures == nullptr || !figures->tokens) return std::nullopt;
    all += static_cast<double>(*figures->tokens);
  }
  if (all == 0) return std::nullopt;
  return static_cast<double>(*band_of(run, band)->tokens) / all;
}

using FigureOf = std::function<std::optional<double>(const RunGroup& group, size_t band)>;

void draw_groups(const std::vector<const RunGroup*>& groups, const FigureOf& figure, Plot& plot) {
  std::vector<double> values;
  for (const RunGroup* group : groups) {
    Line line{.points = {}, .series = group->series};
    const Shape shape = shape_of(group->series);
    for (size_t band = 0; band < kBands; ++band) {
      const double value = figure(*group, band).value_or(NAN);
      const Position at{static_cast<double>(band), value};
      line.points.push_back(at);
      values.push_back(value);
      const std::string name(kFrequencyBands[band].name);
      plot.marks.push_back({.at = at,
                            .shape = shape,
                            .series = group->series,
                            .title = group->label + ", " + name + ": " + decimals(value, 3)});
    }
    plot.lines.push_back(line);
    plot.legend.push_back(
        {.text = group->label, .series = group->series, .has_line = true, .shape = shape});
  }
  values.push_back(0);
  plot.y.range = range_of(values);
  plot.y.range.low = 0;
}

Table ce_table(const std::vector<const RunGroup*>& groups, const RunData& run) {
  Table table{.caption = "Cross-entropy as trained, nats per token, by training count",
              .head = {"band", "targets"},
              .rows = {}};
  for (const RunGroup* group : groups) table.head.push_back(group->label);
  for (size_t band = 0; band < kBands; ++band) {
    table.rows.push_back(
        {text_cell(kFrequencyBands[band].name), number_cell(count(band_of(run, band)->tokens))});
    for (const RunGroup* group : groups) {
      table.rows.back().push_back(
          number_cell(decimals(mean_of(*group, band, &BandFigures::ce), 3)));
    }
  }
  return table;
}

Table mass_table(const std::vector<const RunGroup*>& groups, const RunData& run) {
  Table table{.caption = "Share of the targets, and predicted mass, by training count",
              .head = {"band", "targets"},
              .rows = {}};
  for (const RunGroup* group : groups) table.head.push_back(group->label);
  for (size_t band = 0; band < kBands; ++band) {
    table.rows.push_back(
        {text_cell(kFrequencyBands[band].name), number_cell(share(target_share(run, band)))});
    for (const RunGroup* group : groups) {
      table.rows.back().push_back(
          number_cell(share(mean_of(*group, band, &BandFigures::predicted_mass))));
    }
  }
  return table;
}

std::string ce_figure(const std::vector<const RunGroup*>& groups, const RunData& run) {
  Plot plot{.id = "bands-ce",
            .title = "Cross-entropy by training count",
            .description =
                "At the last evaluation, as trained. PDL lowers it for rare tokens most, "
                "and its bias costs the frequent ones.",
            .x = axis_of_bands(),
            .y = {.label = "cross-entropy, nats per token", .range = {}}};
  const FigureOf ce = [](const RunGroup& group, size_t band) {
    return mean_of(group, band, &BandFigures::ce);
  };
  draw_groups(groups, ce, plot);
  return figure(plot, ce_table(groups, run));
}

std::string mass_figure(const std::vector<const RunGroup*>& groups, const RunData& run) {
  Plot plot{.id = "bands-mass",
            .title = "Predicted mass against share",
            .description =
                "The mean probability that the model gives to the tokens of a band, "
                "beside their share of the targets (square): above the square the model "
                "produces such tokens too often.",
            .x = axis_of_bands(),
            .y = {.label = "probability", .range = {}}};
  const FigureOf mass = [](const RunGroup& group, size_t band) {
    return mean_of(group, band, &BandFigures::predicted_mass);
  };
  draw_groups(groups, mass, plot);
  // A series of its own would be mistaken for an alpha.
  for (size_t band = 0; band < kBands; ++band) {
    const double value = target_share(run, band).value_or(NAN);
    plot.marks.push_back({.at = {static_cast<double>(band), value},
                          .shape = Shape::kSquare,
                          .is_filled = false,
                          .series = kGrey,
                          .title = "share of the targets: " + share(value)});
    if (std::isfinite(value)) plot.y.range.high = std::max(plot.y.range.high, 1.05 * value);
  }
  plot.legend.push_back({.text = "share of the targets",
                         .series = kGrey,
                         .shape = Shape::kSquare,
                         .is_filled = false});
  return figure(plot, mass_table(groups, run));
}

}  // namespace

std::string bands_section(const PageData& page) {
  std::vector<const RunGroup*> groups;
  for (const RunGroup& group : page.groups) {
    const bool is_evaluated = mean_of(group, kBands - 1, &BandFigures::predicted_mass).has_value();
    if (is_evaluated) groups.push_back(&group);
  }
  if (groups.empty()) return "";
  const RunData& run = *groups.front()->runs.front();
  return section("bands", "Bands of training count",
                 ce_figure(groups, run) + mass_figure(groups, run));
}

}  // namespace pdl::report
