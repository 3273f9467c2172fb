// Figures as SVG. Colours are attributes, so that a figure can be read where styles are forbidden;
// classes let the page's style change them in the dark. A series differs from the others by colour
// and by dash or shape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "markup.h"

namespace pdl::report {

// In the unit of the axes.
struct Position {
  double x = 0;
  double y = 0;
};

struct Range {
  double low = 0;
  double high = 1;

  bool contains(double value) const { return value >= low && value <= high; }
};

// The least range with all values that can be drawn, somewhat wider; [0, 1] for none.
Range range_of(const std::vector<double>& values);

enum class Shape { kCircle, kTriangle, kDiamond, kDown, kSquare, kCross, kPlus };

inline constexpr size_t kShapes = 7;

// Series have numbers; shape, dash and colour follow from that. After seven series colours begin
// again, with other dashes and shapes. What belongs to no series is grey.
inline constexpr size_t kGrey = SIZE_MAX;
Shape shape_of(size_t series);

// As the series says; thin and dotted, for comparison; or without a dash.
enum class LineLook { kSeries, kReference, kSolid };

// Where it leaves the ranges of the plot, and at a point that cannot be drawn, the line is cut.
struct Line {
  std::vector<Position> points;
  size_t series = 0;
  LineLook look = LineLook::kSeries;
};

struct Mark {
  Position at;
  Shape shape = Shape::kCircle;
  bool is_filled = true;
  size_t series = 0;
  std::string title;  // shown under the pointer
};

// A thin line across the plot at a value of the x axis.
struct Rule {
  double at = 0;
};

// What the legend shows beside its text: a line, a mark, or both.
struct LegendEntry {
  std::string text;
  size_t series = kGrey;
  bool has_line = false;
  LineLook look = LineLook::kSeries;
  std::optional<Shape> shape = std::nullopt;
  bool is_filled = true;
};

// An axis of numbers, or of names at 0, 1, 2, ….
struct Axis {
  std::string label;
  Range range;
  std::vector<std::string> names = {};
};

// An axis of names with half a unit before the first and after the last.
Axis axis_of_names(const std::string& label, std::vector<std::string> names);

// The bands of training count.
Axis axis_of_bands();

struct Plot {
  std::string id;           // unique on the page
  std::string title;        // what it shows
  std::string description;  // what is seen, for those who do not see it
  Axis x;
  Axis y;
  std::vector<LegendEntry> legend = {};
  std::optional<Range> shade = std::nullopt;  // a part of the x axis
  std::vector<Rule> rules = {};
  std::vector<Line> lines = {};
  std::vector<Mark> marks = {};
};

// The plot with its title and description above it and, closed, the table of its values below.
std::string figure(const Plot& plot, const Table& values);

}  // namespace pdl::report
