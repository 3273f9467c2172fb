#include "pdl/comparison/learning_rates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "pdl/base/error.h"
#include "run_folders.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LearningRatesTest : public testing::Test {
 protected:
  fs::path add(const MadeRun& run) {
    runs_.push_back(write_run(folder_, "r" + std::to_string(runs_.size()), run));
    return runs_.back();
  }

  // Two seeds at the rates 0.1 and 0.2, of which `better` has the lower ce.
  void add_rates(double alpha, double better) {
    for (const double rate : {0.1, 0.2}) {
      for (const int64_t seed : {2, 1}) {
        add({.alpha = alpha, .seed = seed, .learning_rate = rate, .ce = rate == better ? 3 : 3.5});
      }
    }
  }

  std::string refusal() const {
    try {
      choose_learning_rates(runs_);
    } catch (const ConfigError& problem) {
      return problem.what();
    }
    return "chosen";
  }

  TempFolder folder_;
  std::vector<fs::path> runs_;
};

TEST_F(LearningRatesTest, ChoosesTheBestRateOfEachAlpha) {
  add_rates(0.5, 0.1);
  add_rates(0, 0.2);
  std::reverse(runs_.begin(), runs_.end());
  const std::vector<ChosenRate> chosen = choose_learning_rates(runs_);
  ASSERT_EQ(chosen.size(), 2U);
  EXPECT_EQ(chosen[0].alpha, 0);
  EXPECT_EQ(chosen[0].learning_rate, 0.2);
  EXPECT_THAT(chosen[0].folders, ElementsAre(folder_ / "r7", folder_ / "r6"));  // by seed
  EXPECT_EQ(chosen[1].alpha, 0.5);
  EXPECT_EQ(chosen[1].learning_rate, 0.1);
  EXPECT_THAT(chosen[1].folders, ElementsAre(folder_ / "r1", folder_ / "r0"));
}

TEST_F(LearningRatesTest, AMeanOverSeedsOfTheLeastCeOverTauCounts) {
  add({.seed = 1, .learning_rate = 0.1, .ce = 2});
  add({.seed = 2, .learning_rate = 0.1, .ce = 4});
  add({.seed = 1, .learning_rate = 0.2, .ce = 2.9});
  add({.seed = 2, .learning_rate = 0.2, .ce = 2.9});
  EXPECT_EQ(choose_learning_rates(runs_)[0].learning_rate, 0.2);
  // Worse at tau 0, but better at its best tau.
  for (const int64_t seed : {1, 2}) {
    folder_.file("r" + std::to_string(seed - 1) + "/documents.jsonl",
                 to_jsonl(made_documents({.alpha = 1, .seed = seed, .ce = 2.85})));
  }
  EXPECT_EQ(choose_learning_rates(runs_)[0].learning_rate, 0.1);
}

TEST_F(LearningRatesTest, OddDocumentsDoNotCount) {
  add({.learning_rate = 0.1, .ce = 3});
  add({.learning_rate = 0.2, .ce = 3.1});
  for (size_t run = 0; run < 2; ++run) {
    DocumentTable table = made_documents({.ce = run == 0 ? 3 : 3.1});
    for (size_t i = 1; i < table.documents.size(); i += 2) {
      for (double& sum : table.documents[i].ce_sum) sum = run == 0 ? 1e6 : 0;
    }
    folder_.file("r" + std::to_string(run) + "/documents.jsonl", to_jsonl(table));
  }
  EXPECT_EQ(choose_learning_rates(runs_)[0].learning_rate, 0.1);
}

TEST_F(LearningRatesTest, OfEqualRatesTheLowerOneIsChosen) {
  for (const double rate : {0.2, 0.1, 0.3}) add({.learning_rate = rate});
  EXPECT_EQ(choose_learning_rates(runs_)[0].learning_rate, 0.1);
}

TEST_F(LearningRatesTest, UnequalChancesAreRefused) {
  add_rates(0, 0.1);
  add_rates(0.5, 0.1);
  EXPECT_EQ(refusal(), "chosen");
  const fs::path last = runs_.back();
  runs_.pop_back();
  EXPECT_THAT(refusal(), AllOf(HasSubstr("pdl_alpha 0.5"), HasSubstr("other seeds")));
  runs_.pop_back();
  EXPECT_THAT(refusal(), HasSubstr("pdl_alpha 0.5 has 1 learning rates to choose from"));
  runs_.push_back(runs_.back());
  EXPECT_THAT(refusal(), HasSubstr("pdl_alpha 0.5, learning_rate 0.1 and seed 1"));
}

TEST_F(LearningRatesTest, ARateIsChosenOnlyWhereAnAlphaAndASeedStandTwice) {
  // A rate for each alpha, or for each seed, leaves nothing to choose.
  add({.alpha = 0, .seed = 1, .learning_rate = 0.1});
  add({.alpha = 0, .seed = 2, .learning_rate = 0.2});
  add({.alpha = 0.5, .seed = 1, .learning_rate = 0.3});
  EXPECT_EQ(choose_runs(runs_).folders, runs_);
  EXPECT_TRUE(choose_runs(runs_).rates.empty());
  runs_.clear();
  for (const double alpha : {0.0, 0.5}) {
    add({.alpha = alpha, .learning_rate = 0.1, .ce = alpha == 0 ? 3.0 : 4.0});
    add({.alpha = alpha, .learning_rate = 0.2, .ce = alpha == 0 ? 4.0 : 3.0});
  }
  const RunChoice choice = choose_runs(runs_);
  EXPECT_EQ(choice.folders, (std::vector<fs::path>{runs_[0], runs_[3]}));
  ASSERT_EQ(choice.rates.size(), 2U);
  EXPECT_EQ(choice.rates[0].learning_rate, 0.1);
  EXPECT_EQ(choice.rates[1].learning_rate, 0.2);
  fs::remove(runs_[2] / "config.json");
  EXPECT_THROW(choose_runs(runs_), DataError);
}

TEST_F(LearningRatesTest, RunsThatAreNotComparableAreRefused) {
  add_rates(0, 0.1);
  set_key(runs_[1], "max_length", 7);
  EXPECT_THAT(refusal(), HasSubstr("max_length differs"));
  runs_.clear();
  EXPECT_THAT(refusal(), HasSubstr("no run"));
}

}  // namespace
}  // namespace pdl
