#include "report/biased_ce.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pdl::report {
namespace {

// A document of 10 rare and 10 frequent targets.
DocumentFigures document(std::vector<double> rare, std::vector<double> head) {
  DocumentFigures figures{.tokens = 20, .ce_sum = rare, .bands = {}};
  for (size_t i = 0; i < head.size(); ++i) figures.ce_sum[i] += head[i];
  for (BandSums& band : figures.bands) band.ce_sum.assign(rare.size(), 0);
  figures.bands[4] = {.tokens = 10, .ce_sum = std::move(rare)};  // 100-499
  figures.bands[5] = {.tokens = 10, .ce_sum = std::move(head)};  // 500-1999
  return figures;
}

TEST(BiasedCe, EachHalfTakesTheTauOfTheOther) {
  // Best for the even document is tau 1, for the odd one tau -1.
  const BiasedSums sums = biased_sums(
      {.taus = {-1, 0, 1},
       .documents = {document({40, 30, 20}, {40, 30, 20}), document({50, 60, 70}, {10, 20, 30})}});
  const BiasedCe best = best_ce(sums);
  EXPECT_DOUBLE_EQ(*best.all, (80 + 100) / 40.0);
  EXPECT_DOUBLE_EQ(*best.rare, (40 + 70) / 20.0);
  EXPECT_DOUBLE_EQ(*best.head, (40 + 30) / 20.0);
  EXPECT_EQ(best_tau_of(sums), 0);  // all are equal
  EXPECT_DOUBLE_EQ(*ce_at(sums, 1).all, 140 / 40.0);
  EXPECT_DOUBLE_EQ(*ce_at(sums, 0.25).rare, (0.75 * 90 + 0.25 * 90) / 20.0);
  EXPECT_DOUBLE_EQ(*ce_at(sums, -0.5).head, 50 / 20.0);
  EXPECT_FALSE(ce_at(sums, 1.01).all);
  EXPECT_FALSE(ce_at(sums, -1.01).all);
}

TEST(BiasedCe, WhatIsNotFiniteIsNeverBest) {
  const BiasedSums sums = biased_sums({.taus = {-1, 0, 1},
                                       .documents = {document({NAN, 30, 20}, {40, 30, 20}),
                                                     document({NAN, 30, 20}, {40, 30, 20})}});
  EXPECT_EQ(best_tau_of(sums), 1);
  EXPECT_DOUBLE_EQ(*best_ce(sums).all, 80 / 40.0);
  EXPECT_FALSE(ce_at(sums, -1).all);
  EXPECT_FALSE(ce_at(sums, -1).rare);
}

TEST(BiasedCe, NothingIsTheMeanOfNothing) {
  DocumentFigures empty{.tokens = 0, .ce_sum = {0}, .bands = {}};
  for (BandSums& band : empty.bands) band.ce_sum = {0};
  const BiasedSums sums = biased_sums({.taus = {0}, .documents = {empty}});
  EXPECT_FALSE(best_ce(sums).all);
  EXPECT_FALSE(ce_at(sums, 0).head);
  EXPECT_EQ(best_tau_of(sums), 0);
}

}  // namespace
}  // namespace pdl::report
