#include "pdl/weights/weight_plot.h"
#include "pdl/base/text_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>
#include <string_view>

namespace pdl {
namespace {

constexpr double kBucketsPerDecade = 120;

// ------------------------------------------------------------------ curves

// Appends the points that represent the bucket, in order.
void append_extremes(std::span<const RankPoint> bucket, std::vector<RankPoint>& thinned) {
  const auto by_value = [](const RankPoint& a, const RankPoint& b) { return a.value < b.value; };
  const auto [smallest, largest] = std::minmax_element(bucket.begin(), bucket.end(), by_value);
  std::array<RankPoint, 4> kept = {bucket.front(), *smallest, *largest, bucket.back()};
  std::sort(kept.begin(), kept.end(),
            [](const RankPoint& a, const RankPoint& b) { return a.rank < b.rank; });
  for (size_t i = 0; i < kept.size(); ++i) {
    if (i == 0 || kept[i].rank != kept[i - 1].rank) thinned.push_back(kept[i]);
  }
}

std::vector<RankPoint> thin(const std::vector<RankPoint>& points) {
  const auto bucket_of = [](const RankPoint& point) {
    return std::floor(kBucketsPerDecade * std::log10(static_cast<double>(point.rank)));
  };
  std::vector<RankPoint> thinned;
  size_t begin = 0;
  for (size_t end = 1; end <= points.size(); ++end) {
    if (end < points.size() && bucket_of(points[end]) == bucket_of(points[begin])) continue;
    append_extremes(std::span(points).subspan(begin, end - begin), thinned);
    begin = end;
  }
  return thinned;
}

// ------------------------------------------------------------------ axes

// mantissa · 10^exponent with mantissa 1, 2 or 5.
struct Tick {
  int mantissa;
  int exponent;

  double value() const { return mantissa * std::pow(10.0, exponent); }
};

// "0.002", "50", "20000", "1e6".
std::string label(const Tick& tick) {
  if (tick.exponent < -3 || tick.exponent > 5) {
    return std::to_string(tick.mantissa) + "e" + std::to_string(tick.exponent);
  }
  if (tick.exponent < 0) {
    return "0." + std::string(static_cast<size_t>(-tick.exponent - 1), '0') +
           std::to_string(tick.mantissa);
  }
  return std::to_string(tick.mantissa) + std::string(static_cast<size_t>(tick.exponent), '0');
}

// Returns the ticks of a logarithmic axis for [low, high]: from the last at or below `low` to the
// first at or above `high`, at least two.
std::vector<Tick> ticks_for(double low, double high) {
  constexpr double kMaxTicks = 10;
  const double decades = std::log10(high) - std::log10(low);
  const bool is_short = decades < 3;
  const int step = std::max(1, static_cast<int>(std::ceil(decades / kMaxTicks)));
  const int first = static_cast<int>(std::floor(std::floor(std::log10(low)) / step)) - 1;
  const int last = static_cast<int>(std::ceil(std::log10(high) / step)) + 1;
  std::vector<Tick> ticks;
  for (int decade = first; decade <= last; ++decade) {
    for (const int mantissa : {1, 2, 5}) {
      if (mantissa == 1 || is_short) ticks.push_back({mantissa, decade * step});
    }
  }
  while (ticks.size() > 2 && ticks[1].value() <= low) ticks.erase(ticks.begin());
  while (ticks.size() > 2 && ticks[ticks.size() - 2].value() >= high) ticks.pop_back();
  return ticks;
}

class LogAxis {
 public:
  // `begin` and `end` are the places of the first and the last tick, in pixels.
  LogAxis(std::vector<Tick> ticks, double begin, double end)
      : ticks_(std::move(ticks)),
        low_(std::log10(ticks_.front().value())),
        pixels_per_decade_((end - begin) / (std::log10(ticks_.back().value()) - low_)),
        begin_(begin) {}

  const std::vector<Tick>& ticks() const { return ticks_; }
  double at(double value) const { return begin_ + (std::log10(value) - low_) * pixels_per_decade_; }

 private:
  std::vector<Tick> ticks_;
  double low_;
  double pixels_per_decade_;
  double begin_;
};

// ------------------------------------------------------------------ SVG

constexpr double kLeft = 78;
constexpr double kRight = 740;
constexpr double kPanelHeight = 240;
constexpr double kCountTop = 76;
constexpr double kWeightTop = 340;

// Colours of medium lightness: their contrast is at least 3.6 on white and 4.6 on black.
constexpr const char* kHead =
    R"svg(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 640" width="760" height="640" role="img">
<style>
text { font-family: sans-serif; font-size: 12px; fill: #767676; }
.title { font-size: 15px; }
.axis { stroke: #767676; fill: none; }
.grid { stroke: #888888; stroke-opacity: 0.3; }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.count { stroke: #3b82c4; }
.weight { stroke: #c9711a; }
</style>
)svg";

std::string pixels(double value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::fixed, 2)
                       .ptr;
  return {buffer.data(), end};
}

// `attributes` begins with a space or is empty.
std::string text_at(double x, double y, const std::string& attributes, std::string_view text) {
  return "<text x=\"" + pixels(x) + "\" y=\"" + pixels(y) + "\"" + attributes + ">" +
         escape_markup(text) + "</text>\n";
}

std::string line(const char* style, std::array<double, 4> ends) {
  return "<line class=\"" + std::string(style) + "\" x1=\"" + pixels(ends[0]) + "\" y1=\"" +
         pixels(ends[1]) + "\" x2=\"" + pixels(ends[2]) + "\" y2=\"" + pixels(ends[3]) + "\"/>\n";
}

struct Panel {
  const char* name;  // of the quantity; also the class of its curve
  double top;
  const std::vector<RankPoint>& points;
};

std::string polyline(const Panel& panel, const LogAxis& x, const LogAxis& y) {
  std::string list;
  for (const RankPoint& point : panel.points) {
    list += (list.empty() ? "" : " ") + pixels(x.at(static_cast<double>(point.rank))) + "," +
            pixels(y.at(point.value));
  }
  if (panel.points.size() == 1) list += " " + list;  // a line of length 0, whose round cap is a dot
  return "<polyline class=\"curve " + std::string(panel.name) + "\" points=\"" + list + "\"/>\n";
}

std::string draw_panel(const Panel& panel, const LogAxis& x) {
  const auto [smallest, largest] =
      std::minmax_element(panel.points.begin(), panel.points.end(),
                          [](const RankPoint& a, const RankPoint& b) { return a.value < b.value; });
  const double bottom = panel.top + kPanelHeight;
  const LogAxis y(ticks_for(smallest->value, largest->value), bottom, panel.top);
  std::string svg;
  for (const Tick& tick : y.ticks()) {
    const double at = y.at(tick.value());
    svg += line("grid", {kLeft, at, kRight, at});
    svg += text_at(kLeft - 8, at + 4, " text-anchor=\"end\"", label(tick));
  }
  for (const Tick& tick : x.ticks()) {
    const double at = x.at(tick.value());
    svg += line("grid", {at, panel.top, at, bottom});
    svg += text_at(at, bottom + 17, " text-anchor=\"middle\"", label(tick));
  }
  svg += "<path class=\"axis\" d=\"M" + pixels(kLeft) + "," + pixels(panel.top) + "V" +
         pixels(bottom) + "H" + pixels(kRight) + "\"/>\n";
  const double middle = panel.top + kPanelHeight / 2;
  svg += text_at(18, middle,
                 " text-anchor=\"middle\" transform=\"rotate(-90 18.00 " + pixels(middle) + ")\"",
                 panel.name);
  return svg + polyline(panel, x, y);
}

std::string legend_entry(double x, const char* name, const std::string& text) {
  constexpr double kBaseline = 60;
  return "<polyline class=\"curve " + std::string(name) + "\" points=\"" + pixels(x) + "," +
         pixels(kBaseline - 4) + " " + pixels(x + 24) + "," + pixels(kBaseline - 4) + "\"/>\n" +
         text_at(x + 32, kBaseline, "", text);
}

}  // namespace

RankCurves rank_curves(std::span<const int64_t> counts, std::span<const double> weights) {
  std::vector<size_t> order(counts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return counts[a] > counts[b]; });
  RankCurves curves;
  for (const size_t token : order) {
    const auto rank = static_cast<int64_t>(curves.weights.size()) + 1;
    curves.weights.push_back({rank, weights[token]});
    if (counts[token] > 0) curves.counts.push_back({rank, static_cast<double>(counts[token])});
  }
  return {.counts = thin(curves.counts), .weights = thin(curves.weights)};
}

std::string weight_plot_svg(const RankCurves& curves, const std::string& title,
                            const std::string& subtitle) {
  const LogAxis x(ticks_for(1, static_cast<double>(curves.weights.back().rank)), kLeft, kRight);
  std::string svg = kHead;
  svg += "<title>" + escape_markup(title) + "</title>\n";
  svg += text_at(kLeft, 22, " class=\"title\"", title);
  svg += text_at(kLeft, 40, "", subtitle);
  svg += legend_entry(kLeft, "count",
                      "count of the " + std::to_string(curves.counts.back().rank) + " types seen");
  svg += legend_entry(kLeft + 320, "weight",
                      "weight of all " + std::to_string(curves.weights.back().rank) + " types");
  svg += draw_panel({"count", kCountTop, curves.counts}, x);
  svg += draw_panel({"weight", kWeightTop, curves.weights}, x);
  svg += text_at((kLeft + kRight) / 2, kWeightTop + kPanelHeight + 42, " text-anchor=\"middle\"",
                 "rank of the token by count");
  return svg + "</svg>\n";
}

}  // namespace pdl
