#include <cmath>

#include "plot.h"
#include "sections.h"

namespace pdl::report {
namespace {

constexpr size_t kBands = kFrequencyBands.size();

// The shares of a band among the training targets, and of the loss weight.
struct Shares {
  std::optional<double> targets;
  std::optional<double> weight;
};

std::vector<Shares> shares_of(const StartFigures& start) {
  double all = 0;
  for (const BandShare& band : start.bands) all += static_cast<double>(band.tokens.value_or(0));
  std::vector<Shares> shares;
  for (const BandShare& band : start.bands) {
    Shares& of_band = shares.emplace_back(Shares{.targets = {}, .weight = band.weight_share});
    if (band.tokens && all > 0) of_band.targets = static_cast<double>(*band.tokens) / all;
  }
  return shares;
}

void draw(const std::vector<Shares>& shares, std::optional<double> Shares::*kind, size_t series,
          const std::string& name, Plot& plot) {
  const Shape shape = shape_of(series);
  Line line{.points = {}, .series = series};
  for (size_t i = 0; i < kBands; ++i) {
    const std::optional<double>& value = shares[i].*kind;
    const Position at{static_cast<double>(i), value.value_or(NAN)};
    line.points.push_back(at);
    plot.marks.push_back(
        {.at = at, .shape = shape, .series = series, .title = name + ": " + share(value)});
    if (value) plot.y.range.high = std::max(plot.y.range.high, 1.05 * *value);
  }
  plot.lines.push_back(line);
  plot.legend.push_back({.text = name, .series = series, .has_line = true, .shape = shape});
}

std::string bands_figure(const StartFigures& start) {
  const std::vector<Shares> shares = shares_of(start);
  Plot plot{.id = "weight-bands",
            .title = "Weight by training count",
            .description =
                "The share of a band among the training targets, and of the loss "
                "weight.",
            .x = axis_of_bands(),
            .y = {.label = "share", .range = {0, 0.01}}};
  draw(shares, &Shares::targets, 0, "targets", plot);
  draw(shares, &Shares::weight, 1, "loss weight", plot);
  Table table{.caption = "Training targets and their loss weight, by training count",
              .head = {"band", "targets", "share", "loss weight"},
              .rows = {}};
  for (size_t i = 0; i < kBands; ++i) {
    table.rows.push_back(
        {text_cell(kFrequencyBands[i].name), number_cell(count(start.bands[i].tokens)),
         number_cell(share(shares[i].targets)), number_cell(share(shares[i].weight))});
  }
  return figure(plot, table);
}

std::string tokens_table(const StartFigures& start) {
  if (start.top_tokens.empty()) return "";
  Table table{.caption = "The tokens with most loss weight",
              .head = {"token", "count", "weight", "share of the loss weight"},
              .rows = {}};
  for (const TopToken& token : start.top_tokens) {
    table.rows.push_back({text_cell(token.piece), number_cell(count(token.count)),
                          number_cell(decimals(token.weight, 4)),
                          number_cell(share(token.weight_share))});
  }
  return details("The tokens with most weight", to_html(table));
}

}  // namespace

std::string weights_section(const PageData& page) {
  const RunData& run = page.runs.front();
  if (!page.is_one_run() || !run.start) return "";
  const StartFigures& start = *run.start;
  const std::string facts = "Weights of counted tokens go from " + decimals(start.w_min, 4) +
                            " to " + decimals(start.w_max, 4) +
                            ", their mean over the training targets is " +
                            decimals(start.w_mean, 4) + ". The gradient is as noisy as that of " +
                            share(start.n_eff) + " of the targets with equal weights (n_eff).";
  return section("weights", "Weights",
                 paragraph(facts) + bands_figure(start) + tokens_table(start));
}

}  // namespace pdl::report
