#include "pdl/metrics/bias_curve.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pdl {
namespace {

TEST(BiasCurveTest, TheBestTauIsTheLeastCeThenTheNearestTo0ThenTheLower) {
  EXPECT_EQ(best_tau({-1, 0, 1}, {3, 2, 1}), 2U);
  EXPECT_EQ(best_tau({-1, 0, 1}, {1, 2, 1}), 0U);
  EXPECT_EQ(best_tau({-1, 0, 1}, {1, 1, 1}), 1U);
  EXPECT_EQ(best_tau({-2, -1, 1}, {1, 1, 1}), 1U);
  EXPECT_EQ(best_tau({0.5, 1}, {2, 2}), 0U);
  EXPECT_EQ(best_tau({0}, {1}), 0U);
}

TEST(BiasCurveTest, WhatIsNotFiniteIsNeverBest) {
  EXPECT_EQ(best_tau({-1, 0, 1}, {NAN, 3, 2}), 2U);
  EXPECT_EQ(best_tau({-1, 0, 1}, {2, NAN, 3}), 0U);
  EXPECT_EQ(best_tau({-1, 0, 1}, {2, 3, NAN}), 0U);
  EXPECT_EQ(best_tau({-1, 0, 1}, {-INFINITY, INFINITY, 9}), 2U);
  EXPECT_EQ(best_tau({-1, 0, 1}, {NAN, NAN, 1e300}), 2U);
}

TEST(BiasCurveTest, WithoutAFiniteCeTheTauNearestTo0IsBest) {
  EXPECT_EQ(best_tau({-1, 0, 1}, {NAN, NAN, NAN}), 1U);
  EXPECT_EQ(best_tau({-1, 0.5, 1}, {INFINITY, NAN, -INFINITY}), 1U);
  EXPECT_EQ(best_tau({-1, 1}, {NAN, NAN}), 0U);
}

TEST(BiasCurveTest, TheBestPointIsThatOfTheBestTau) {
  std::vector<BiasPoint> curve(3);
  for (size_t i = 0; i < curve.size(); ++i) curve[i].tau = static_cast<double>(i) - 1;
  for (const std::vector<double>& ce : {std::vector<double>{3, 1, 1}, {1, 2, 1}, {NAN, NAN, 5}}) {
    for (size_t i = 0; i < curve.size(); ++i) curve[i].ce = ce[i];
    EXPECT_EQ(best_point(curve).tau, curve[best_tau({-1, 0, 1}, ce)].tau);
  }
}

TEST(BiasCurveTest, APointHasTheMeansOfAllDocuments) {
  DocumentTable table{.taus = {0, 1}, .documents = {}};
  for (const double ce : {6.0, 10.0}) {
    DocumentFigures& document = table.documents.emplace_back();
    document.tokens = 2;
    document.ce_sum = {ce, 2 * ce};
    for (BandSums& band : document.bands) band.ce_sum = {0, 0};
    document.bands[1] = {.tokens = 2, .ce_sum = document.ce_sum};
  }
  const std::vector<BiasPoint> curve = bias_curve(table);
  ASSERT_EQ(curve.size(), 2U);
  EXPECT_EQ(curve[0].ce, 4);
  EXPECT_EQ(curve[1].tau, 1);
  EXPECT_EQ(curve[1].bands[1].ce, 8);
  EXPECT_EQ(curve[1].bands[1].tokens, 4);
  EXPECT_FALSE(curve[1].bands[0].ce);
}

}  // namespace
}  // namespace pdl
