#include "markup.h"
#include "pdl/base/text_format.h"
#include "plot.h"
#include "sections.h"

namespace pdl::report {
namespace {

struct ArmFigure {
  const ArmComparison* arm;
  const SeedFigure* figure;
};

std::string shown(double value) { return decimals(value, 3); }

std::string interval_text(const SeedFigure& figure) {
  if (!figure.low || !figure.high) return std::string(kNone);
  return shown(*figure.low) + " to " + shown(*figure.high);
}

Table table_of(const std::vector<ArmFigure>& figures, const std::string& name) {
  Table table{.caption = name + " in nats per token, each seed paired with that of alpha 0",
              .head = {"alpha", "verdict", "mean " + name, "95 % interval", "sd over documents",
                       "seeds: " + name},
              .rows = {}};
  for (const auto& [arm, figure] : figures) {
    std::string seeds;
    for (size_t i = 0; i < figure->per_seed.size(); ++i) {
      seeds +=
          (i == 0 ? "" : "; ") + std::to_string(arm->seeds[i]) + ": " + shown(figure->per_seed[i]);
    }
    table.rows.push_back({text_cell(shortest_decimal(arm->alpha)), text_cell(name_of(arm->verdict)),
                          number_cell(shown(figure->mean)), text_cell(interval_text(*figure)),
                          number_cell(decimals(figure->document_sd, 4)), text_cell(seeds)});
  }
  return table;
}

// Seeds above, mean and interval below them.
void draw(const ArmFigure& arm, double row, size_t series, Plot& plot) {
  constexpr double kDistance = 0.17;
  const SeedFigure& figure = *arm.figure;
  for (size_t i = 0; i < figure.per_seed.size(); ++i) {
    plot.marks.push_back(
        {.at = {figure.per_seed[i], row + kDistance},
         .shape = Shape::kCircle,
         .is_filled = false,
         .series = series,
         .title = "seed " + std::to_string(arm.arm->seeds[i]) + ": " + shown(figure.per_seed[i])});
  }
  plot.marks.push_back({.at = {figure.mean, row - kDistance},
                        .shape = Shape::kDiamond,
                        .is_filled = true,
                        .series = series,
                        .title = "mean " + shown(figure.mean) + ", " + interval_text(figure)});
  if (!figure.low || !figure.high) return;
  plot.lines.push_back({.points = {{*figure.low, row - kDistance}, {*figure.high, row - kDistance}},
                        .series = series,
                        .look = LineLook::kSolid});
}

std::vector<double> values_of(const std::vector<ArmFigure>& figures) {
  std::vector<double> values;
  for (const auto& [arm, figure] : figures) {
    values.insert(values.end(), figure->per_seed.begin(), figure->per_seed.end());
    values.push_back(figure->low.value_or(figure->mean));
    values.push_back(figure->high.value_or(figure->mean));
  }
  return values;
}

// `better` says in which direction; the text begins with `name`.
std::string seeds_figure(const std::vector<ArmFigure>& figures, const std::string& name,
                         const std::string& meaning, double delta) {
  std::vector<double> values = values_of(figures);
  for (const double value : {-delta, 0.0, delta}) values.push_back(value);
  std::vector<std::string> names;
  for (auto arm = figures.rbegin(); arm != figures.rend(); ++arm) {
    names.push_back("alpha " + shortest_decimal(arm->arm->alpha));
  }
  Plot plot{.id = name == "G" ? "gain" : "rare-gain",
            .title = name + " of each alpha",
            .description = meaning +
                           " A circle is a pair of runs with the same seed, a diamond "
                           "their mean, with its 95 % interval over seeds. Within the "
                           "grey band a difference counts as none.",
            .x = {.label = name + ", nats per token", .range = range_of(values)},
            .y = axis_of_names("", std::move(names)),
            .legend = {{.text = "a seed", .shape = Shape::kCircle, .is_filled = false},
                       {.text = "mean and interval", .has_line = true, .shape = Shape::kDiamond}}};
  plot.shade = Range{-delta, delta};
  plot.rules = {{0}};
  for (size_t i = 0; i < figures.size(); ++i) {
    draw(figures[i], static_cast<double>(figures.size() - 1 - i), i + 1, plot);
  }
  return figure(plot, table_of(figures, name));
}

}  // namespace

std::string seeds_section(const PageData& page) {
  if (!page.comparison || page.comparison->arms.empty()) return "";
  std::vector<ArmFigure> g;
  std::vector<ArmFigure> r;
  for (const ArmComparison& arm : page.comparison->arms) {
    g.push_back({&arm, &arm.g});
    if (arm.r) r.push_back({&arm, &*arm.r});
  }
  const double delta = page.comparison->delta;
  std::string html = seeds_figure(
      g, "G", "Cross-entropy less that of alpha 0, both de-tilted: left of 0 is better.", delta);
  if (!r.empty()) {
    html += seeds_figure(r, "R",
                         "How much lower the cross-entropy of rare targets is than that of alpha 0 "
                         "with the bias that makes its overall cross-entropy the same: right of 0 "
                         "is better.",
                         delta);
  }
  return section("seeds", "Paired seeds", html);
}

}  // namespace pdl::report
