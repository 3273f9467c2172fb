#include "pdl/weights/weight_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <sstream>

#include "pdl/weights/weight_formula.h"

namespace pdl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Counts by Zipf's law for `types` tokens in random order, the last tenth of them unseen.
std::vector<int64_t> zipf_counts(int64_t types) {
  std::vector<int64_t> counts;
  for (int64_t rank = 1; rank <= types; ++rank) {
    counts.push_back(rank * 10 > types * 9 ? 0 : 100'000'000 / rank);
  }
  std::shuffle(counts.begin(), counts.end(), std::mt19937_64(1));
  return counts;
}

RankCurves curves_of(const std::vector<int64_t>& counts, const WeightOptions& options = {}) {
  return rank_curves(counts, power_law_weights(counts, options, {}, options.pdl_alpha));
}

// Returns the x,y pairs of the last polyline with this class; the first is the legend's.
std::vector<std::pair<double, double>> drawn(const std::string& svg, const std::string& name) {
  const std::string opening = "<polyline class=\"curve " + name + "\" points=\"";
  const size_t begin = svg.rfind(opening) + opening.size();
  std::istringstream list(svg.substr(begin, svg.find('"', begin) - begin));
  std::vector<std::pair<double, double>> points;
  char comma = 0;
  for (double x, y; list >> x >> comma >> y;) points.emplace_back(x, y);
  return points;
}

TEST(RankCurvesTest, SmallTablesKeepEveryTypeInOrder) {
  const std::vector<int64_t> counts = {3, 0, 7, 3, 0};
  const std::vector<double> weights = {0.3, 9.0, 0.1, 0.4, 8.0};
  const RankCurves curves = rank_curves(counts, weights);
  std::vector<double> values;
  for (const RankPoint& point : curves.weights) values.push_back(point.value);
  EXPECT_EQ(values, (std::vector<double>{0.1, 0.3, 0.4, 9.0, 8.0}));
  ASSERT_EQ(curves.counts.size(), 3U);
  EXPECT_EQ(curves.counts[0].value, 7);
  EXPECT_EQ(curves.counts[2].rank, 3);
}

TEST(RankCurvesTest, AQuarterOfAMillionTypesAreMonotoneFewPointsOfTheTrueCurve) {
  const std::vector<int64_t> counts = zipf_counts(250'000);
  std::vector<int64_t> sorted = counts;
  std::sort(sorted.rbegin(), sorted.rend());
  const RankCurves curves = curves_of(counts);
  EXPECT_LT(curves.weights.size(), 2000U);
  EXPECT_EQ(curves.counts.front().rank, 1);
  EXPECT_EQ(curves.counts.back().rank, 225'000);
  EXPECT_EQ(curves.weights.back().rank, 250'000);
  for (size_t i = 0; i < curves.counts.size(); ++i) {
    const RankPoint& point = curves.counts[i];
    EXPECT_EQ(point.value, static_cast<double>(sorted[static_cast<size_t>(point.rank - 1)]));
    if (i > 0) {
      EXPECT_LT(curves.counts[i - 1].rank, point.rank);
      // Adjacent points are at most about a pixel apart.
      EXPECT_LE(static_cast<double>(point.rank),
                static_cast<double>(curves.counts[i - 1].rank + 1) * std::pow(10, 1.0 / 120));
    }
  }
  EXPECT_TRUE(std::is_sorted(curves.weights.begin(), curves.weights.end(),
                             [](const auto& a, const auto& b) { return a.value < b.value; }));
}

TEST(RankCurvesTest, ThinningLosesNoPeak) {
  std::vector<int64_t> counts(100'000);
  for (size_t token = 0; token < counts.size(); ++token)
    counts[token] = static_cast<int64_t>(counts.size() - token);
  std::mt19937_64 random(2);
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<double> weights(counts.size(), 1.0);
    const size_t high = random() % counts.size();
    const size_t low = random() % counts.size();
    weights[high] = 50;
    weights[low] = 0.02;
    std::set<int64_t> unusual;
    for (const RankPoint& point : rank_curves(counts, weights).weights) {
      if (point.value != 1.0) unusual.insert(point.rank);
    }
    EXPECT_EQ(unusual,
              (std::set<int64_t>{static_cast<int64_t>(high) + 1, static_cast<int64_t>(low) + 1}));
  }
}

TEST(WeightPlotTest, IsSmallDeterministicAndMonotone) {
  const RankCurves curves = curves_of(zipf_counts(250'000), {.pdl_alpha = 0.5});
  const std::string svg = weight_plot_svg(curves, "a", "b");
  EXPECT_LT(svg.size(), 100'000U);
  EXPECT_EQ(svg, weight_plot_svg(curves, "a", "b"));
  const auto counts = drawn(svg, "count");
  const auto weights = drawn(svg, "weight");
  EXPECT_EQ(counts.size(), curves.counts.size());
  EXPECT_EQ(weights.size(), curves.weights.size());
  EXPECT_TRUE(std::is_sorted(counts.begin(), counts.end()));  // y grows downwards
  for (size_t i = 1; i < weights.size(); ++i) {
    EXPECT_GE(weights[i].first, weights[i - 1].first);
    EXPECT_LE(weights[i].second, weights[i - 1].second);
  }
}

// Positions in the picture must be linear in the logarithms.
TEST(WeightPlotTest, APowerLawIsAStraightLine) {
  std::vector<int64_t> counts;
  for (int power = 0; power <= 12; ++power) counts.push_back(int64_t{1} << (24 - 2 * power));
  const auto points = drawn(weight_plot_svg(curves_of(counts), "", ""), "count");
  ASSERT_EQ(points.size(), 13U);
  const double slope = points[1].second - points[0].second;
  for (size_t i = 1; i < points.size(); ++i) {
    EXPECT_NEAR(points[i].second - points[i - 1].second, slope, 0.02);
    EXPECT_NEAR((points[i].first - points[0].first) / (points.back().first - points.front().first),
                std::log(static_cast<double>(i + 1)) / std::log(13.0), 1e-3);
  }
}

TEST(WeightPlotTest, EveryCurveStaysInsideItsPanel) {
  for (const int64_t types : {1, 2, 9, 10, 11, 999, 100'000}) {
    for (const double alpha : {0.0, 1e-6, 0.25, 1.0, 3.0}) {
      std::vector<int64_t> counts = zipf_counts(types);
      counts.front() = 5;  // so that something is seen
      const std::string svg = weight_plot_svg(curves_of(counts, {.pdl_alpha = alpha}), "", "");
      EXPECT_THAT(svg, Not(HasSubstr("nan")));
      EXPECT_THAT(svg, Not(HasSubstr("inf")));
      for (const auto& [name, top] : {std::pair("count", 76.0), std::pair("weight", 340.0)}) {
        const auto points = drawn(svg, name);
        ASSERT_FALSE(points.empty());
        for (const auto& [x, y] : points) {
          EXPECT_TRUE(x >= 78 && x <= 740 && y >= top && y <= top + 240)
              << types << " " << alpha << " " << name << " " << x << " " << y;
        }
      }
    }
  }
}

TEST(WeightPlotTest, TheWholeRangeOfFloat32HasFewTicks) {
  const std::vector<int64_t> counts = {5, 4, 3, 2, 1};
  const std::vector<double> weights = {1e-37, 1e-3, 1.0, 1e20, 3e38};
  const std::string svg = weight_plot_svg(rank_curves(counts, weights), "", "");
  size_t texts = 0;
  for (size_t at = svg.find("<text"); at != std::string::npos; at = svg.find("<text", at + 1)) {
    ++texts;
  }
  EXPECT_LT(texts, 45U);
  EXPECT_THAT(svg, HasSubstr(">1e-40</text>"));
}

TEST(WeightPlotTest, TextIsEscaped) {
  const std::string svg = weight_plot_svg(curves_of({3, 2, 1}), "<script>&\"x'", "a<b>&c");
  EXPECT_THAT(svg, Not(HasSubstr("<script")));
  EXPECT_THAT(svg, HasSubstr("<title>&lt;script&gt;&amp;&quot;x&#39;</title>"));
  EXPECT_THAT(svg, HasSubstr("a&lt;b&gt;&amp;c"));
}

}  // namespace
}  // namespace pdl
