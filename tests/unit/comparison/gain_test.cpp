#include "comparison/gain.h"

#include <gtest/gtest.h>

#include <numeric>

#include "pdl/base/error.h"
#include "pdl/base/random.h"

namespace pdl {
namespace {

TEST(GainTest, TheBiasIsInterpolatedBelowTheBestTau) {
  const std::vector<double> ce = {9, 5, 3, 2, 4};
  const auto expect = [&](double aim, size_t index, size_t below, double weight) {
    const Bias bias = bias_reaching(aim, ce, 3);
    EXPECT_EQ(bias.index, index) << aim;
    EXPECT_EQ(bias.index_below, below) << aim;
    EXPECT_EQ(bias.weight, weight) << aim;
  };
  expect(1, 3, 3, 0);  // alpha 0 cannot reach that
  expect(2, 3, 3, 0);
  expect(2.25, 3, 2, 0.25);
  expect(3, 3, 2, 1);
  expect(4, 2, 1, 0.5);
  expect(9, 1, 0, 1);
  expect(10, 0, 0, 0);  // the grid ends before
  EXPECT_EQ((Bias{.index = 1, .index_below = 0, .weight = 0.25}.of(ce)), 6);
}

// Four documents, two taus of interest; every number can be followed by hand.
RunDocuments documents(const std::vector<std::vector<double>>& ce,
                       const std::vector<std::vector<double>>& rare_ce) {
  RunDocuments run{.taus = {-1, 0, 1}, .band_tokens = {}, .sums = {}};
  for (size_t i = 0; i < ce.size(); ++i) {
    run.sums.push_back({.tokens = 10, .rare_tokens = 2, .ce = ce[i], .rare_ce = rare_ce[i]});
    run.band_tokens.push_back({2, 0, 0, 0, 0, 0, 8});
  }
  return run;
}

TEST(GainTest, PairIsWhatTheRuleSays) {
  const RunDocuments plain = documents({{30, 20, 24}, {34, 22, 20}, {32, 20, 22}, {30, 22, 24}},
                                       {{6, 8, 10}, {7, 9, 11}, {5, 7, 9}, {4, 8, 9}});
  const RunDocuments arm = documents({{40, 24, 18}, {44, 28, 26}, {40, 24, 20}, {40, 24, 27}},
                                     {{3, 4, 9}, {3, 5, 9}, {3, 6, 9}, {3, 7, 9}});
  // Even: plain 62, 40, 46; arm 80, 48, 38. Odd: plain 64, 44, 44; arm 84, 52, 53. Chosen for odd
  // documents: 0 and 1; for even ones: 0 (of equals the nearest to 0) and 0.
  const PairGain gain = pair_gain(arm, plain);
  EXPECT_DOUBLE_EQ(gain.g, (53.0 + 48) / 40 - (44.0 + 40) / 40);
  // Even: aim 48 from 40 at 0, 62 at -1: weight 8/22; odd: aim 52 from 44, 64: weight 8/20.
  const double rare_odd = (17 * 14 + 11 * 8) / 22.0;   // 17 at 0, 11 at -1
  const double rare_even = (15 * 12 + 11 * 8) / 20.0;  // 15 at 0, 11 at -1
  EXPECT_DOUBLE_EQ(gain.r, (rare_odd + rare_even - (4 + 5 + 6 + 7)) / 8);
}

RunDocuments random_documents(Random& random, size_t count) {
  std::vector<std::vector<double>> ce;
  std::vector<std::vector<double>> rare_ce;
  for (size_t i = 0; i < count; ++i) {
    for (auto* sums : {&ce, &rare_ce}) {
      auto& of_document = sums->emplace_back(3);
      for (double& sum : of_document) sum = 100 * random.uniform();
    }
  }
  return documents(ce, rare_ce);
}

TEST(GainTest, WhatTheDocumentsAddIsTheFigure) {
  Random random(2);
  for (int i = 0; i < 100; ++i) {
    const RunDocuments arm = random_documents(random, 7);
    const RunDocuments plain = random_documents(random, 7);
    const PairGain gain = pair_gain(arm, plain);
    const auto sum = [](const std::vector<double>& of_document) {
      return std::accumulate(of_document.begin(), of_document.end(), 0.0);
    };
    EXPECT_NEAR(gain.g, sum(gain.g_of_document) / 70, 1e-13);
    EXPECT_NEAR(gain.r, sum(gain.r_of_document) / 14, 1e-13);
  }
}

TEST(GainTest, ACopyHasAGOfExactly0) {
  Random random(3);
  for (int i = 0; i < 100; ++i) {
    const RunDocuments run = random_documents(random, 5);
    const PairGain gain = pair_gain(run, run);
    EXPECT_EQ(gain.g, 0);
    for (const double of_document : gain.g_of_document) EXPECT_EQ(of_document, 0);
  }
}

TEST(GainTest, NoRareTargetIsAnROf0) {
  Random random(4);
  RunDocuments run = random_documents(random, 4);
  for (CeSums& document : run.sums) document.rare_tokens = 0;
  EXPECT_EQ(pair_gain(run, run).r, 0);
}

TEST(GainTest, AGridWithout0IsRefused) {
  Random random(5);
  RunDocuments run = random_documents(random, 4);
  run.taus = {-1, 0.1, 1};
  EXPECT_THROW(pair_gain(run, run), ConfigError);
  run.taus = {-0.3, -0.3 + 3 * 0.1, 1};  // 5.6e-17 is meant as 0
  EXPECT_EQ(pair_gain(run, run).g, 0);
}

}  // namespace
}  // namespace pdl
