#include <algorithm>
#include <cmath>

#include "pdl/base/text_format.h"
#include "pdl/metrics/bias_curve.h"
#include "plot.h"
#include "sections.h"

namespace pdl::report {
namespace {

// A group's mean cross-entropies for each tau.
struct BiasCurve {
  const RunGroup* group;
  std::vector<double> taus;
  std::vector<double> all;   // NaN where a run has none
  std::vector<double> rare;  // the same
  size_t best = 0;           // index of best_tau()
};

BiasCurve curve_of(const RunGroup& group) {
  BiasCurve curve{.group = &group,
                  .taus = group.runs.front()->documents->taus,
                  .all = {},
                  .rare = {},
                  .best = 0};
  for (const double tau : curve.taus) {
    const auto mean = [&](std::optional<double> BiasedCe::*figure) {
      return mean_over(group,
                       [&](const RunData& run) { return ce_at(*run.documents, tau).*figure; })
          .value_or(NAN);
    };
    curve.all.push_back(mean(&BiasedCe::all));
    curve.rare.push_back(mean(&BiasedCe::rare));
  }
  curve.best = best_tau(curve.taus, curve.all);
  return curve;
}

std::optional<size_t> index_of(const BiasCurve& curve, double tau) {
  const auto found = std::find(curve.taus.begin(), curve.taus.end(), tau);
  if (found == curve.taus.end()) return std::nullopt;
  return static_cast<size_t>(found - curve.taus.begin());
}

// What is near the points that matter: a strong bias goes far beyond them.
Range range_of_interest(const std::vector<BiasCurve>& curves) {
  std::vector<double> values;
  for (const BiasCurve& curve : curves) {
    values.push_back(curve.all[curve.best]);
    if (const auto index = index_of(curve, 0)) values.push_back(curve.all[*index]);
  }
  const Range points = range_of(values);
  const double size = std::max(points.high - points.low, 0.02 * std::abs(points.low));
  return {points.low - 0.1 * size, points.high + 0.6 * size};
}

std::string value_text(const BiasCurve& curve, size_t index) {
  return "tau " + shortest_decimal(curve.taus[index]) + ", ce " + decimals(curve.all[index], 3) +
         ", rare ce " + decimals(curve.rare[index], 3);
}

using PointOf = std::function<Position(const BiasCurve& curve, size_t index)>;

void draw(const std::vector<BiasCurve>& curves, const PointOf& point, Plot& plot) {
  for (const BiasCurve& curve : curves) {
    const size_t series = curve.group->series;
    Line line{.points = {}, .series = series};
    for (size_t i = 0; i < curve.taus.size(); ++i) line.points.push_back(point(curve, i));
    plot.lines.push_back(line);
    plot.legend.push_back({.text = curve.group->label, .series = series, .has_line = true});
    const std::string& label = curve.group->label;
    if (const auto index = index_of(curve, 0)) {
      plot.marks.push_back({.at = point(curve, *index),
                            .shape = Shape::kSquare,
                            .is_filled = false,
                            .series = series,
                            .title = label + " as trained: " + value_text(curve, *index)});
    }
    plot.marks.push_back({.at = point(curve, curve.best),
                          .shape = Shape::kCircle,
                          .is_filled = true,
                          .series = series,
                          .title = label + " at its best: " + value_text(curve, curve.best)});
  }
  plot.legend.push_back({.text = "as trained", .shape = Shape::kSquare, .is_filled = false});
  plot.legend.push_back({.text = "best", .shape = Shape::kCircle});
}

// A row for each tau, with all targets and, if asked for, the rare ones.
Table table_of(const std::vector<BiasCurve>& curves, const std::string& caption, bool has_rare) {
  std::vector<double> taus;
  Table table{.caption = caption, .head = {"tau"}, .rows = {}};
  for (const BiasCurve& curve : curves) {
    taus.insert(taus.end(), curve.taus.begin(), curve.taus.end());
    table.head.push_back(curve.group->label + (has_rare ? ", all" : ""));
    if (has_rare) table.head.push_back(curve.group->label + ", rare");
  }
  std::sort(taus.begin(), taus.end());
  taus.erase(std::unique(taus.begin(), taus.end()), taus.end());
  for (const double tau : taus) {
    std::vector<Cell>& row = table.rows.emplace_back();
    row.push_back(number_cell(shortest_decimal(tau)));
    for (const BiasCurve& curve : curves) {
      const auto index = index_of(curve, tau);
      row.push_back(number_cell(decimals(index ? curve.all[*index] : NAN, 3)));
      if (has_rare) row.push_back(number_cell(decimals(index ? curve.rare[*index] : NAN, 3)));
    }
  }
  return table;
}

// Were an alpha nothing but the bias, its curve would be that of alpha 0, moved.
void add_moved_curves(const std::vector<BiasCurve>& curves, Plot& plot) {
  const BiasCurve& plain = curves.front();
  if (plain.group->alpha != 0 || curves.size() < 2) return;
  for (const BiasCurve& curve : curves) {
    if (&curve == &plain) continue;
    Line line{.points = {}, .series = curve.group->series, .look = LineLook::kReference};
    for (size_t i = 0; i < plain.taus.size(); ++i) {
      line.points.push_back({plain.taus[i] + curve.group->alpha.value_or(0), plain.all[i]});
    }
    plot.lines.push_back(line);
  }
  plot.legend.push_back(
      {.text = "alpha 0, moved by each alpha", .has_line = true, .look = LineLook::kReference});
  plot.description +=
      " Were an alpha nothing but the bias, its curve would be that of alpha 0 moved to the right "
      "by alpha, which is dotted.";
}

std::string lowest_points(const std::vector<BiasCurve>& curves) {
  constexpr size_t kMaxNamed = 6;
  if (curves.size() > kMaxNamed) return "The lowest point of each run is its best tau.";
  std::string text;
  for (const BiasCurve& curve : curves) {
    text += (text.empty() ? "Lowest, " : "; ") + curve.group->label + ": " +
            decimals(curve.all[curve.best], 3) + " at tau " +
            shortest_decimal(curve.taus[curve.best]);
  }
  return text + ".";
}

std::string tau_figure(const PageData& page, const std::vector<BiasCurve>& curves) {
  std::vector<double> taus;
  for (const BiasCurve& curve : curves) {
    taus.insert(taus.end(), curve.taus.begin(), curve.taus.end());
  }
  Plot plot{.id = "tau",
            .title = "Cross-entropy with the bias tau·ln(count + 1)",
            .description = lowest_points(curves),
            .x = {.label = "tau", .range = range_of(taus)},
            .y = {.label = "cross-entropy, nats per token", .range = range_of_interest(curves)}};
  draw(
      curves,
      [](const BiasCurve& curve, size_t i) {
        return Position{curve.taus[i], curve.all[i]};
      },
      plot);
  if (page.comparison) add_moved_curves(curves, plot);
  return figure(plot, table_of(curves, "Cross-entropy for each tau, nats per token", false));
}

std::string rare_figure(const std::vector<BiasCurve>& curves) {
  const Range all = range_of_interest(curves);
  std::vector<double> rare;
  for (const BiasCurve& curve : curves) {
    for (size_t i = 0; i < curve.taus.size(); ++i) {
      if (all.contains(curve.all[i])) rare.push_back(curve.rare[i]);
    }
  }
  if (std::none_of(rare.begin(), rare.end(), [](double value) { return std::isfinite(value); })) {
    return paragraph("No target was counted less than " + std::to_string(kRareBelow) +
                     " times in training, so there is no cross-entropy of rare targets.");
  }
  Plot plot{.id = "rare",
            .title = "Overall against rare cross-entropy",
            .description =
                "Each line is one alpha with a bias from strong to none to the "
                "reverse; lower left is better. A line below that of alpha 0 is a gain "
                "that no bias gives.",
            .x = {.label = "cross-entropy of all targets, nats per token", .range = all},
            .y = {.label = "cross-entropy of targets counted less than " +
                           std::to_string(kRareBelow) + " times",
                  .range = range_of(rare)}};
  draw(
      curves,
      [](const BiasCurve& curve, size_t i) {
        return Position{curve.all[i], curve.rare[i]};
      },
      plot);
  return figure(
      plot,
      table_of(curves, "Cross-entropy of all and of rare targets for each tau, nats per token",
               true));
}

}  // namespace

std::string bias_section(const PageData& page) {
  std::vector<BiasCurve> curves;
  for (const RunGroup* group : groups_with_documents(page)) curves.push_back(curve_of(*group));
  if (curves.empty()) return "";
  return section("bias", "With and without a bias", tau_figure(page, curves) + rare_figure(curves));
}

}  // namespace pdl::report
