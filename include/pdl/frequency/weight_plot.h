// A frequency table and its weights as a picture: count and weight of the tokens by rank, both axes
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

struct RankCurves {
  std::vector<RankPoint> counts;   // of the types with count > 0
  std::vector<RankPoint> weights;  // of all types, in the same ranking
};

// Curves of counts [V] and weights [V] > 0 with few points: of the ranks that fall on one 120th of
// a decade, the first and the last and those of the smallest and the largest value, so that no peak
// is lost. At least one count must be above 0.
RankCurves rank_curves(std::span<const int64_t> counts, std::span<const double> weights);

// The curves as an SVG file, one panel above the other: without scripts, fonts or anything else to
// load, in colours that can be read on white and on black. The same curves give the same bytes.
// `title` is plain text, `subtitle` stands below it in smaller letters; both are escaped, and must
// be UTF-8 without control characters (see printable()).
std::string weight_plot_svg(const RankCurves& curves, const std::string& title,
                            const std::string& subtitle);

}  // namespace pdl
