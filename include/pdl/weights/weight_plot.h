// Plots a frequency table and its weights: count and weight of the tokens by rank, both axes
// logarithmic, so that a power law is a straight line.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pdl {

// The token that is `rank`-th by count, from 1; equal counts are ranked by id.
struct RankPoint {
  int64_t rank = 0;
  double value = 0;
};

// Count and weight by rank, as they are drawn.
struct RankCurves {
  std::vector<RankPoint> counts;   // types with count > 0
  std::vector<RankPoint> weights;  // all types, in the same ranking
};

// Returns the curves of counts [V] and weights [V] > 0 with few points. Of the ranks in each 120th
// of a decade it keeps the first, the last, the smallest and the largest value, so that no peak is
// lost. At least one count must be above 0.
RankCurves rank_curves(std::span<const int64_t> counts, std::span<const double> weights);

// Returns the curves as an SVG file, one panel above the other, in colours that can be read on
// white and on black. It loads nothing: no scripts, no fonts. The same curves give the same bytes.
// `title` is plain text, `subtitle` is set below it in smaller letters. Both are escaped and must
// be UTF-8 without control characters (see printable()).
std::string weight_plot_svg(const RankCurves& curves, const std::string& title,
                            const std::string& subtitle);

}  // namespace pdl
