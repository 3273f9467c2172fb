#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "plot.h"
#include "sections.h"

namespace pdl::report {
namespace {

constexpr size_t kMaxPoints = 60;  // of a curve

using Curve = std::map<int64_t, double>;  // by step
using CurveOf = std::function<Curve(const RunData& run)>;

struct NamedCurve {
  std::string label;
  size_t series;
  Curve points;
};

// The mean over the runs, at the steps that all of them have.
Curve mean_curve(const RunGroup& group, const CurveOf& curve_of) {
  Curve sums;
  std::map<int64_t, size_t> runs;
  for (const RunData* run : group.runs) {
    for (const auto& [step, value] : curve_of(*run)) {
      sums[step] += value;
      ++runs[step];
    }
  }
  std::erase_if(sums, [&](const auto& point) { return runs[point.first] != group.runs.size(); });
  for (auto& [step, sum] : sums) sum /= static_cast<double>(group.runs.size());
  return sums;
}

// Steps that end parts of about equal length, at most kMaxPoints; each is a step of some curve.
std::vector<int64_t> part_ends(const std::vector<NamedCurve>& curves) {
  std::set<int64_t> steps;
  for (const NamedCurve& curve : curves) {
    for (const auto& [step, value] : curve.points) steps.insert(step);
  }
  const std::vector<int64_t> all(steps.begin(), steps.end());
  if (all.size() <= kMaxPoints) return all;
  std::vector<int64_t> ends;
  for (size_t part = 1; part <= kMaxPoints; ++part) {
    ends.push_back(all[all.size() * part / kMaxPoints - 1]);
  }
  return ends;
}

// Each part's mean, at its end.
Curve thinned(const Curve& curve, const std::vector<int64_t>& ends) {
  Curve result;
  auto point = curve.begin();
  for (const int64_t end : ends) {
    double sum = 0;
    size_t number = 0;
    for (; point != curve.end() && point->first <= end; ++point, ++number) sum += point->second;
    if (number > 0) result[end] = sum / static_cast<double>(number);
  }
  return result;
}

Table table_of(const std::vector<NamedCurve>& curves, const std::vector<int64_t>& steps,
               const std::string& caption) {
  Table table{.caption = caption, .head = {"step"}, .rows = {}};
  for (const NamedCurve& curve : curves) table.head.push_back(curve.label);
  for (const int64_t step : steps) {
    std::vector<Cell>& row = table.rows.emplace_back();
    row.push_back(number_cell(count(step)));
    for (const NamedCurve& curve : curves) {
      const auto found = curve.points.find(step);
      row.push_back(number_cell(found == curve.points.end() ? std::string(kNone)
                                                            : decimals(found->second, 3)));
    }
  }
  return table;
}

Range range_of_curves(const std::vector<NamedCurve>& curves) {
  std::vector<double> values;
  for (const NamedCurve& curve : curves) {
    for (const auto& [step, value] : curve.points) values.push_back(value);
  }
  return range_of(values);
}

void draw(const NamedCurve& curve, Plot& plot) {
  constexpr size_t kMarks = 6;
  const Shape shape = shape_of(curve.series);
  Line line{.points = {}, .series = curve.series};
  const size_t distance = std::max<size_t>(1, curve.points.size() / kMarks);
  size_t index = 0;
  for (const auto& [step, value] : curve.points) {
    const Position at{static_cast<double>(step), value};
    line.points.push_back(at);
    const bool is_last = index + 1 == curve.points.size();
    if (index++ % distance != 0 && !is_last) continue;
    plot.marks.push_back(
        {.at = at,
         .shape = shape,
         .series = curve.series,
         .title = curve.label + ", step " + std::to_string(step) + ": " + decimals(value, 3)});
  }
  plot.lines.push_back(line);
  plot.legend.push_back(
      {.text = curve.label, .series = curve.series, .has_line = true, .shape = shape});
}

// `plot` has names and labels. Empty if there is no point.
std::string curves_figure(std::vector<NamedCurve> curves, Plot plot, const std::string& caption) {
  std::erase_if(curves, [](const NamedCurve& curve) { return curve.points.empty(); });
  if (curves.empty()) return "";
  const std::vector<int64_t> steps = part_ends(curves);
  for (NamedCurve& curve : curves) curve.points = thinned(curve.points, steps);
  std::vector<double> step_values(steps.begin(), steps.end());
  plot.x = {.label = "step", .range = range_of(step_values)};
  plot.y.range = range_of_curves(curves);
  for (const NamedCurve& curve : curves) draw(curve, plot);
  return figure(plot, table_of(curves, steps, caption));
}

std::vector<NamedCurve> of_groups(const PageData& page, const CurveOf& curve_of) {
  std::vector<NamedCurve> curves;
  for (const RunGroup& group : page.groups) {
    curves.push_back({group.label, group.series, mean_curve(group, curve_of)});
  }
  return curves;
}

Curve train_curve(const RunData& run, std::optional<double> TrainPoint::*figure) {
  Curve curve;
  for (const TrainPoint& point : run.train) {
    if (point.*figure) curve[point.step] = *(point.*figure);
  }
  return curve;
}

Curve eval_curve(const RunData& run) {
  Curve curve;
  for (const EvalPoint& point : run.evals) {
    if (point.ce) curve[point.step] = *point.ce;
  }
  return curve;
}

// What is drawn of many runs, as a part of the description.
std::string averaged(const PageData& page) {
  return page.comparison ? " Mean over the seeds, at the steps that all of them have." : "";
}

}  // namespace

std::string curves_section(const PageData& page) {
  std::vector<NamedCurve> train =
      of_groups(page, [](const RunData& run) { return train_curve(run, &TrainPoint::ce); });
  std::string description =
      "The unweighted mean of the targets trained on, as trained, since the line before.";
  if (page.is_one_run()) {
    train.front().label = "cross-entropy";
    train.push_back({"weighted loss", 1, train_curve(page.runs.front(), &TrainPoint::loss)});
    description += " The weighted loss is what is minimised.";
  }
  Plot train_plot{.id = "train",
                  .title = "Cross-entropy while training",
                  .description = description + averaged(page),
                  .x = {},
                  .y = {.label = "nats per token", .range = {}}};
  Plot eval_plot{.id = "eval",
                 .title = "Cross-entropy of evaluations",
                 .description = "The unweighted mean over eval_files, as trained." + averaged(page),
                 .x = {},
                 .y = {.label = "nats per token", .range = {}}};
  const std::string html =
      curves_figure(std::move(train), train_plot, "Cross-entropy while training, by step") +
      curves_figure(of_groups(page, eval_curve), eval_plot,
                    "Cross-entropy of evaluations, by step");
  return html.empty() ? "" : section("curves", "Curves", html);
}

}  // namespace pdl::report
