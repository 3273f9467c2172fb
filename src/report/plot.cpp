#include "plot.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "pdl/frequency/bands.h"

namespace pdl::report {
namespace {

// A window of 500 pixels has room for that beside the margins that a browser gives figures.
constexpr double kWidth = 444;
constexpr double kRight = 432;
constexpr double kRowHeight = 16;
constexpr double kLetter = 5.9;  // about the width of one

// Their contrast on white is at least 5.5; the style of the page has others for the dark.
constexpr std::array<const char*, kShapes> kColours = {"#0b57a4", "#a03c00", "#1f6b2a", "#8a2f8f",
                                                       "#6b5300", "#a3123d", "#005f6b"};
constexpr std::array<const char*, kShapes> kDashes = {"",     "8 3",          "10 3 2 3", "4 2",
                                                      "14 4", "10 3 2 3 2 3", "2 2"};

std::string pixels(double value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::fixed, 1)
                       .ptr;
  std::string text(buffer.data(), end);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

std::string at(double x, double y) { return pixels(x) + " " + pixels(y); }

// A figure of a damaged file may be beyond what differences of doubles hold.
bool can_be_drawn(double value) { return std::abs(value) < 1e12; }

// ------------------------------------------------------------------ scales

struct Tick {
  double value;
  std::string label;
};

// 1, 2 or 5 times a power of ten, so that there are about `number` steps.
std::vector<Tick> number_ticks(const Range& range, int number) {
  const double rough = (range.high - range.low) / number;
  const double power = std::floor(std::log10(rough));
  const double unit = std::pow(10, power);
  const double factor = rough / unit <= 1 ? 1 : rough / unit <= 2 ? 2 : rough / unit <= 5 ? 5 : 10;
  const double step = factor * unit;
  const int digits = std::clamp(-static_cast<int>(power) - (factor == 10 ? 1 : 0), 0, 12);
  std::vector<Tick> ticks;
  for (double k = std::ceil(range.low / step); k * step <= range.high && ticks.size() < 20; ++k) {
    ticks.push_back({k * step, decimals(k * step, digits)});
  }
  return ticks;
}

std::vector<Tick> ticks_of(const Axis& axis) {
  constexpr int kSteps = 6;
  if (axis.names.empty()) return number_ticks(axis.range, kSteps);
  std::vector<Tick> ticks;
  for (size_t i = 0; i < axis.names.size(); ++i) {
    ticks.push_back({static_cast<double>(i), axis.names[i]});
  }
  return ticks;
}

class Scale {
 public:
  Scale(const Range& range, double begin, double end)
      : range_(range), begin_(begin), pixels_((end - begin) / (range.high - range.low)) {}
  double operator()(double value) const { return begin_ + (value - range_.low) * pixels_; }

 private:
  Range range_;
  double begin_;
  double pixels_;
};

// ------------------------------------------------------------------ clipping

// Shortens [first, last], the part of a segment, to where begin + t·(end - begin) is in the range.
bool clip_axis(double begin, double end, const Range& range, double& first, double& last) {
  const double change = end - begin;
  if (change == 0) return range.contains(begin);
  double enter = (range.low - begin) / change;
  double leave = (range.high - begin) / change;
  if (enter > leave) std::swap(enter, leave);
  first = std::max(first, enter);
  last = std::min(last, leave);
  return first <= last;
}

struct Segment {
  Position begin;
  Position end;
  bool is_cut = false;  // its end is not that of the line's piece
};

std::optional<Segment> clipped(const Position& a, const Position& b, const Range& x,
                               const Range& y) {
  double first = 0;
  double last = 1;
  if (!clip_axis(a.x, b.x, x, first, last) || !clip_axis(a.y, b.y, y, first, last)) return {};
  const auto point = [&](double t) {
    return Position{a.x + t * (b.x - a.x), a.y + t * (b.y - a.y)};
  };
  return Segment{.begin = first == 0 ? a : point(first),
                 .end = last == 1 ? b : point(last),
                 .is_cut = last < 1};
}

bool can_be_drawn(const Position& position) {
  return can_be_drawn(position.x) && can_be_drawn(position.y);
}

// ------------------------------------------------------------------ pieces

// `attributes` begins with a space or is empty.
std::string text_at(double x, double y, const std::string& attributes, std::string_view text) {
  return "<text class=\"t\" fill=\"#333333\" x=\"" + pixels(x) + "\" y=\"" + pixels(y) + "\"" +
         attributes + ">" + escape(text) + "</text>\n";
}

std::string class_of(size_t series) {
  return series == kGrey ? "grey" : std::to_string(series % kShapes);
}

const char* colour_of(size_t series) {
  return series == kGrey ? "#444444" : kColours[series % kShapes];
}

std::string attribute(const char* name, const std::string& value) {
  return " " + std::string(name) + "=\"" + value + "\"";
}

std::string dash_of(size_t series, LineLook look) {
  if (look == LineLook::kReference) return "1 3";
  if (look == LineLook::kSolid || series == kGrey) return "";
  return kDashes[(series + series / kShapes) % kShapes];
}

std::string line_path(size_t series, LineLook look, const std::string& path) {
  const std::string dash = dash_of(series, look);
  return "<path" + attribute("class", "c" + class_of(series)) + attribute("fill", "none") +
         attribute("stroke", colour_of(series)) +
         attribute("stroke-width", look == LineLook::kReference ? "1.2" : "2") +
         (dash.empty() ? "" : attribute("stroke-dasharray", dash)) + attribute("d", path) + "/>\n";
}

const char* outline(Shape shape) {
  switch (shape) {
    case Shape::kCircle:
      return "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z";
    case Shape::kTriangle:
      return "m0 -4.5l4.5 8h-9z";
    case Shape::kDiamond:
      return "m0 -5.5l4.5 5.5l-4.5 5.5l-4.5 -5.5z";
    case Shape::kDown:
      return "m0 4.5l4.5 -8h-9z";
    case Shape::kSquare:
      return "m-5 -5h10v10h-10z";
    case Shape::kCross:
      return "m-4 -4l8 8m0 -8l-8 8";
    case Shape::kPlus:
      return "m0 -5v10m-5 -5h10";
  }
  return "";
}

std::string fill_of(const Mark& mark) {
  const bool has_inside = mark.shape != Shape::kCross && mark.shape != Shape::kPlus;
  if (!has_inside) return "none";
  return mark.is_filled ? colour_of(mark.series) : "#ffffff";
}

std::string mark_at(double x, double y, const Mark& mark) {
  const std::string name = class_of(mark.series);
  const std::string fill = fill_of(mark);
  const std::string inside = fill == "none" ? "" : mark.is_filled ? " f" + name : " b";
  const std::string title = mark.title.empty() ? "" : "<title>" + escape(mark.title) + "</title>";
  return "<path" + attribute("class", "c" + name + inside) + attribute("fill", fill) +
         attribute("stroke", colour_of(mark.series)) + attribute("stroke-width", "1.6") +
         attribute("d", "M" + at(x, y) + outline(mark.shape)) + ">" + title + "</path>\n";
}

struct Frame {
  double left;
  double top;
  double bottom;
};

std::string draw_axes(const Plot& plot, const Frame& frame, const Scale& x, const Scale& y) {
  std::string grid;
  std::string labels;
  for (const Tick& tick : ticks_of(plot.y)) {
    grid += "M" + at(frame.left, y(tick.value)) + "H" + pixels(kRight);
    labels += text_at(frame.left - 6, y(tick.value) + 4, " text-anchor=\"end\"", tick.label);
  }
  for (const Tick& tick : ticks_of(plot.x)) {
    grid += "M" + at(x(tick.value), frame.top) + "V" + pixels(frame.bottom);
    labels += text_at(x(tick.value), frame.bottom + 15, " text-anchor=\"middle\"", tick.label);
  }
  labels += text_at((frame.left + kRight) / 2, frame.bottom + 32, " text-anchor=\"middle\"",
                    plot.x.label);
  if (!plot.y.label.empty()) labels += text_at(4, frame.top - 8, "", plot.y.label);
  return "<path class=\"g\" fill=\"none\" stroke=\"#d9d9d9\" d=\"" + grid + "\"/>\n" +
         "<path class=\"a\" fill=\"none\" stroke=\"#6b6b6b\" d=\"M" + at(frame.left, frame.top) +
         "V" + pixels(frame.bottom) + "H" + pixels(kRight) + "\"/>\n" + labels;
}

std::string draw_line(const Plot& plot, const Line& line, const Scale& x, const Scale& y) {
  std::string path;
  bool continues = false;
  for (size_t i = 1; i < line.points.size(); ++i) {
    const Position& a = line.points[i - 1];
    const Position& b = line.points[i];
    const auto segment = can_be_drawn(a) && can_be_drawn(b)
                             ? clipped(a, b, plot.x.range, plot.y.range)
                             : std::nullopt;
    if (!segment) {
      continues = false;
      continue;
    }
    if (!continues) path += "M" + at(x(segment->begin.x), y(segment->begin.y));
    path += "L" + at(x(segment->end.x), y(segment->end.y));
    continues = !segment->is_cut;
  }
  if (path.empty()) return "";
  return line_path(line.series, line.look, path);
}

// Entries from left to right, in as many rows as they need; `y` becomes that of the last one.
std::string draw_legend(const Plot& plot, double& y) {
  constexpr double kBegin = 8;
  constexpr double kLineLength = 30;
  constexpr double kMarkWidth = 10;
  constexpr double kGap = 6;
  std::string svg;
  double x = kBegin;
  for (const LegendEntry& entry : plot.legend) {
    const double sign = entry.has_line ? kLineLength : kMarkWidth;
    const double width = sign + kGap + kLetter * static_cast<double>(entry.text.size()) + 2 * kGap;
    if (x > kBegin && x + width > kWidth) {
      x = kBegin;
      y += kRowHeight;
    }
    if (entry.has_line) {
      svg += line_path(entry.series, entry.look, "M" + at(x, y - 4) + "h" + pixels(kLineLength));
    }
    if (entry.shape) {
      const Mark mark{.at = {},
                      .shape = *entry.shape,
                      .is_filled = entry.is_filled,
                      .series = entry.series,
                      .title = ""};
      svg += mark_at(x + sign / 2, y - 4, mark);
    }
    svg += text_at(x + sign + kGap, y, "", entry.text);
    x += width;
  }
  return svg;
}

// Names of the y axis need as much room as the longest one.
double left_margin(const Axis& y) {
  size_t longest = 0;
  for (const Tick& tick : ticks_of(y)) longest = std::max(longest, tick.label.size());
  return std::min(16 + kLetter * static_cast<double>(longest), kWidth / 2);
}

double plot_height(const Axis& y) {
  constexpr double kHeightOfName = 34;
  constexpr double kHeightOfNumbers = 230;
  return y.names.empty() ? kHeightOfNumbers : kHeightOfName * static_cast<double>(y.names.size());
}

std::string draw_shade(const Plot& plot, const Frame& frame, const Scale& x) {
  if (!plot.shade) return "";
  const double begin = x(std::max(plot.shade->low, plot.x.range.low));
  const double end = x(std::min(plot.shade->high, plot.x.range.high));
  return "<rect class=\"s\" fill=\"#eeeeee\"" + attribute("x", pixels(begin)) +
         attribute("y", pixels(frame.top)) +
         attribute("width", pixels(std::max(0.0, end - begin))) +
         attribute("height", pixels(frame.bottom - frame.top)) + "/>\n";
}

std::string draw_rules(const Plot& plot, const Frame& frame, const Scale& x) {
  std::string svg;
  for (const Rule& rule : plot.rules) {
    if (!plot.x.range.contains(rule.at)) continue;
    svg += "<path class=\"a\" fill=\"none\" stroke=\"#6b6b6b\" stroke-width=\"1.5\"" +
           attribute("d", "M" + at(x(rule.at), frame.top) + "V" + pixels(frame.bottom)) + "/>\n";
  }
  return svg;
}

std::string draw_marks(const Plot& plot, const Scale& x, const Scale& y) {
  std::string svg;
  for (const Mark& mark : plot.marks) {
    const bool is_inside = can_be_drawn(mark.at) && plot.x.range.contains(mark.at.x) &&
                           plot.y.range.contains(mark.at.y);
    if (is_inside) svg += mark_at(x(mark.at.x), y(mark.at.y), mark);
  }
  return svg;
}

// The begin of the element, with its names for screen readers and the ground.
std::string svg_head(const Plot& plot, double svg_height) {
  const std::string width = pixels(kWidth);
  const std::string height = pixels(svg_height);
  const std::string title = plot.id + "-title";
  const std::string description = plot.id + "-description";
  return "<svg role=\"img\"" + attribute("aria-labelledby", title + " " + description) +
         attribute("viewBox", "0 0 " + width + " " + height) + attribute("width", width) +
         attribute("height", height) + " font-family=\"sans-serif\" font-size=\"11\">\n<title" +
         attribute("id", title) + ">" + escape(plot.title) + "</title>\n<desc" +
         attribute("id", description) + ">" + escape(plot.description) +
         "</desc>\n<rect class=\"b\" fill=\"#ffffff\"" + attribute("width", width) +
         attribute("height", height) + "/>\n";
}

std::string to_svg(const Plot& plot) {
  double legend_bottom = 18;
  const std::string legend = draw_legend(plot, legend_bottom);
  Frame frame{.left = left_margin(plot.y), .top = legend_bottom + 14, .bottom = 0};
  if (plot.legend.empty()) frame.top = 12;
  if (!plot.y.label.empty()) frame.top += kRowHeight;
  frame.bottom = frame.top + plot_height(plot.y);
  const Scale x(plot.x.range, frame.left, kRight);
  const Scale y(plot.y.range, frame.bottom, frame.top);
  std::string svg = svg_head(plot, frame.bottom + 42) + draw_shade(plot, frame, x) + legend +
                    draw_axes(plot, frame, x, y) + draw_rules(plot, frame, x);
  for (const Line& line : plot.lines) svg += draw_line(plot, line, x, y);
  return svg + draw_marks(plot, x, y) + "</svg>\n";
}

}  // namespace

Range range_of(const std::vector<double>& values) {
  Range range{.low = INFINITY, .high = -INFINITY};
  for (const double value : values) {
    if (!can_be_drawn(value)) continue;
    range.low = std::min(range.low, value);
    range.high = std::max(range.high, value);
  }
  if (range.low > range.high) return {};
  constexpr double kMargin = 0.05;
  const double size = std::max(std::abs(range.low), std::abs(range.high));
  const double least = size > 0 ? 1e-6 * size : 1;  // where all values are the same
  const double margin = kMargin * std::max(range.high - range.low, least);
  return {range.low - margin, range.high + margin};
}

Shape shape_of(size_t series) { return static_cast<Shape>((series + series / kShapes) % kShapes); }

Axis axis_of_names(const std::string& label, std::vector<std::string> names) {
  const double last = static_cast<double>(names.size()) - 0.5;
  return {.label = label, .range = {-0.5, last}, .names = std::move(names)};
}

Axis axis_of_bands() {
  std::vector<std::string> names;
  for (const FrequencyBand& band : kFrequencyBands) names.emplace_back(band.name);
  return axis_of_names("how often the token was counted in training", std::move(names));
}

std::string figure(const Plot& plot, const Table& values) {
  return "<figure id=\"" + plot.id + "\">\n<figcaption><b>" + escape(plot.title) + ".</b> " +
         escape(plot.description) + "</figcaption>\n" + to_svg(plot) +
         details("The values as a table", to_html(values)) + "</figure>\n";
}

}  // namespace pdl::report
