#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "pdl/base/error.h"
#include "pdl/comparison/comparison.h"
#include "pdl/config/config_table.h"
#include "run_folders.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CompareRunsTest : public testing::Test {
 protected:
  // Adds a run in a folder "r<number>".
  fs::path add(const MadeRun& run) {
    runs_.push_back(write_run(folder_, "r" + std::to_string(runs_.size()), run));
    return runs_.back();
  }

  // Alpha 0 and 0.5 with the same five seeds.
  void add_arms(double gain = 0.1) {
    for (int64_t seed = 1; seed <= 5; ++seed) {
      add({.alpha = 0, .seed = seed, .ce = 3});
      add({.alpha = 0.5, .seed = seed, .ce = 3 - gain});
    }
  }

  Comparison compare() const { return compare_runs(runs_); }

  template <class Blame>
  std::string refusal() const {
    try {
      compare();
    } catch (const Blame& problem) {
      return problem.what();
    } catch (const std::exception& problem) {
      return std::string("another error: ") + problem.what();
    }
    return "compared";
  }

  TempFolder folder_;
  std::vector<fs::path> runs_;
};

TEST_F(CompareRunsTest, SaysWhatHelpedAndWhatDidNot) {
  add_arms();
  for (int64_t seed = 1; seed <= 5; ++seed) {
    add({.alpha = 0.25, .seed = seed, .ce = 3});
    add({.alpha = 1, .seed = seed, .ce = 3.2});
  }
  const Comparison comparison = compare();
  ASSERT_EQ(comparison.arms.size(), 3U);
  EXPECT_EQ(comparison.arms[0].alpha, 0.25);
  EXPECT_EQ(comparison.arms[0].verdict, Verdict::kNoDifference);
  EXPECT_EQ(comparison.arms[1].alpha, 0.5);
  EXPECT_EQ(comparison.arms[1].verdict, Verdict::kHelps);
  EXPECT_THAT(comparison.arms[1].seeds, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_NEAR(comparison.arms[1].g.mean, -0.1, 0.01);
  EXPECT_GT(comparison.arms[1].g.document_sd, 0);
  EXPECT_EQ(comparison.arms[2].verdict, Verdict::kHurts);
  EXPECT_TRUE(comparison.unpaired.empty());
}

TEST_F(CompareRunsTest, TheOrderOfFoldersChangesNoByte) {
  add_arms();
  add({.alpha = 0.25, .seed = 2});
  add({.alpha = 0.25, .seed = 9});
  const std::string json_text = to_json(compare());
  const std::string table = to_table(compare());
  Random random(1);
  for (int i = 0; i < 10; ++i) {
    for (size_t last = runs_.size(); last > 1; --last) {
      std::swap(runs_[last - 1], runs_[random.below(last)]);
    }
    EXPECT_EQ(to_json(compare()), json_text);
    EXPECT_EQ(to_table(compare()), table);
  }
}

TEST_F(CompareRunsTest, TheOrderOfFoldersChangesNoRefusal) {
  add_arms();
  set_key(runs_[3], "max_length", 7);
  set_key(runs_[6], "eval_steps", 7);
  const std::string refused = refusal<ConfigError>();
  std::reverse(runs_.begin(), runs_.end());
  EXPECT_EQ(refusal<ConfigError>(), refused);

  fs::remove(folder_ / "r2" / "summary.json");
  fs::remove(folder_ / "r4" / "summary.json");
  EXPECT_THAT(refusal<ConfigError>(), HasSubstr("/r2'"));
  std::reverse(runs_.begin(), runs_.end());
  EXPECT_THAT(refusal<ConfigError>(), HasSubstr("/r2'"));
}

TEST_F(CompareRunsTest, ACopyOfAlpha0IsNoDifferenceOfExactly0) {
  add_arms();
  runs_.clear();
  for (int64_t seed = 1; seed <= 5; ++seed) {
    const MadeRun run{.alpha = 0, .seed = seed};
    runs_.push_back(write_run(folder_, "a" + std::to_string(seed), run));
    runs_.push_back(write_run(folder_, "b" + std::to_string(seed), run));
    set_key(runs_.back(), "pdl_alpha", 0.75);
  }
  const Comparison comparison = compare();
  EXPECT_EQ(comparison.arms[0].alpha, 0.75);
  EXPECT_THAT(comparison.arms[0].g.per_seed, ElementsAre(0, 0, 0, 0, 0));
  EXPECT_EQ(comparison.arms[0].g.mean, 0);
  EXPECT_EQ(comparison.arms[0].g.low, 0);
  EXPECT_EQ(comparison.arms[0].g.high, 0);
  EXPECT_EQ(comparison.arms[0].g.document_sd, 0);
  EXPECT_EQ(comparison.arms[0].verdict, Verdict::kNoDifference);
}

TEST_F(CompareRunsTest, SeedsWithoutAPartnerAreLeftOutAndNamed) {
  add({.alpha = 0, .seed = 1});
  add({.alpha = 0, .seed = 2});
  add({.alpha = 0, .seed = 5});
  add({.alpha = 0.5, .seed = 2});
  add({.alpha = 0.5, .seed = 7});
  add({.alpha = 1, .seed = 1});
  add({.alpha = 2, .seed = 8});
  const Comparison comparison = compare();
  ASSERT_EQ(comparison.arms.size(), 2U);
  EXPECT_THAT(comparison.arms[0].seeds, ElementsAre(2));
  EXPECT_THAT(comparison.arms[1].seeds, ElementsAre(1));
  std::vector<std::string> left_out;
  for (const UnpairedRun& run : comparison.unpaired) left_out.push_back(describe(run));
  EXPECT_THAT(left_out, ElementsAre("alpha 0, seed 5: no run of another alpha has this seed",
                                    "alpha 0.5, seed 7: no run of alpha 0 has this seed",
                                    "alpha 2, seed 8: no run of alpha 0 has this seed"));
  for (const std::string& line : left_out) EXPECT_THAT(to_table(comparison), HasSubstr(line));
}

TEST_F(CompareRunsTest, OneSeedHasNoInterval) {
  add({.alpha = 0});
  add({.alpha = 0.5});
  const ArmComparison arm = compare().arms.at(0);
  EXPECT_EQ(arm.verdict, Verdict::kNotShown);
  EXPECT_EQ(arm.seeds_needed, std::nullopt);
  EXPECT_EQ(arm.g.low, std::nullopt);
  EXPECT_EQ(arm.g.high, std::nullopt);
  EXPECT_GT(arm.g.document_sd, 0);
  const json object = json::parse(to_json(compare()))["arms"][0];
  EXPECT_EQ(object["G"]["low"], nullptr);
  EXPECT_EQ(object["seeds_needed"], nullptr);
}

TEST_F(CompareRunsTest, HasThePublishedFormat) {
  const Comparison comparison{
      .arms = {{.alpha = 0.25,
                .seeds = {1, 2},
                .verdict = Verdict::kNotShown,
                .seeds_needed = 9,
                .g = {.per_seed = {0.5, -0.25}, .mean = 0.125, .low = -1, .high = 1.5},
                .r = {{.per_seed = {1, 2}, .mean = 1.5, .low = {}, .high = {}, .document_sd = 2}}},
               {.alpha = 1,
                .seeds = {1},
                .verdict = Verdict::kHurts,
                .seeds_needed = {},
                .g = {.per_seed = {0.5}, .mean = 0.5, .low = {}, .high = {}},
                .r = {}}},
      .unpaired = {{.alpha = 1, .seed = 2}}};
  EXPECT_EQ(
      to_json(comparison),
      R"({"format":"pdl-comparison","version":1,"delta":0.01,"rare_below":500,"arms":[)"
      R"({"alpha":0.25,"seeds":[1,2],"verdict":"not shown","seeds_needed":9,)"
      R"("G":{"per_seed":[0.5,-0.25],"mean":0.125,"low":-1.0,"high":1.5,"document_sd":0.0},)"
      R"("R":{"per_seed":[1.0,2.0],"mean":1.5,"low":null,"high":null,"document_sd":2.0}},)"
      R"({"alpha":1.0,"seeds":[1],"verdict":"hurts","seeds_needed":null,)"
      R"("G":{"per_seed":[0.5],"mean":0.5,"low":null,"high":null,"document_sd":0.0},"R":null}]})"
      "\n");
  EXPECT_THAT(to_table(comparison),
              AllOf(HasSubstr("-1.0000 to +1.5000"), HasSubstr("not shown (9 seeds needed)"),
                    HasSubstr("hurts\n"), HasSubstr("below 500")));
}

TEST_F(CompareRunsTest, NoRareTargetIsNoR) {
  for (const double alpha : {0.0, 0.5}) {
    const fs::path run = add({.alpha = alpha});
    DocumentTable table = made_documents({.alpha = alpha});
    for (DocumentFigures& document : table.documents) {
      for (size_t band = 0; band < 5; ++band) {
        document.bands[6].tokens += document.bands[band].tokens;
        document.bands[band].tokens = 0;
      }
    }
    folder_.file(run.filename().string() + "/documents.jsonl", to_jsonl(table));
  }
  EXPECT_FALSE(compare().arms.at(0).r.has_value());
  EXPECT_EQ(json::parse(to_json(compare()))["arms"][0]["R"], nullptr);
}

// ------------------------------------------------------------------ refusals

TEST_F(CompareRunsTest, EveryOtherKeyMustBeEqual) {
  const std::set<std::string> free = {
      "pdl_alpha",     "seed",         "output_dir",       "num_threads", "device",
      "logging_steps", "save_steps",   "save_total_limit", "tensorboard", "resume_from_checkpoint",
      "max_minutes",   "learning_rate"};
  size_t compared = 0;
  for (const ConfigKey& key : config_keys()) {
    const std::string name(key.name);
    if (name == "pdl_alpha" || name == "seed") continue;
    runs_.clear();
    add({.alpha = 0});
    const json before = json::parse(file_content(add({.alpha = 0.5}) / "config.json"))[name];
    json other = before.is_boolean()  ? json(!before.get<bool>())
                 : before.is_number() ? json(before.get<double>() + 1)
                 : before.is_string() ? json(before.get<std::string>() + "x")
                                      : json::array({"x"});
    set_key(runs_.back(), name, other);
    if (free.contains(name) || name.starts_with("sample_")) {
      EXPECT_EQ(refusal<ConfigError>(), "compared") << name;
      continue;
    }
    ++compared;
    EXPECT_THAT(refusal<ConfigError>(),
                AllOf(HasSubstr(name + " differs: "), HasSubstr("/r0'"), HasSubstr("/r1'")))
        << name;
  }
  EXPECT_GT(compared, 50U);
}

TEST_F(CompareRunsTest, AKeyThatOneConfigLacksIsRefused) {
  add({.alpha = 0});
  set_key(add({.alpha = 0.5}), "new_key", 1);
  EXPECT_THAT(refusal<ConfigError>(), HasSubstr("new_key differs: missing and 1"));
  std::swap(runs_[0], runs_[1]);
  EXPECT_THAT(refusal<ConfigError>(), HasSubstr("new_key differs: missing and 1"));
  set_key(runs_[0], "sample_new", 1);
  set_key(runs_[1], "new_key", 1.0);  // the same number
  EXPECT_EQ(refusal<ConfigError>(), "compared");
}

TEST_F(CompareRunsTest, OtherDocumentsAreRefused) {
  add({.alpha = 0});
  add({.alpha = 0.5});
  const auto refusal_of = [&](const std::function<void(DocumentTable&)>& change) {
    DocumentTable table = made_documents({.alpha = 0.5});
    change(table);
    folder_.file("r1/documents.jsonl", to_jsonl(table));
    return refusal<ConfigError>();
  };
  EXPECT_EQ(refusal_of([](DocumentTable&) {}), "compared");
  EXPECT_THAT(refusal_of([](DocumentTable& table) { table.documents.pop_back(); }),
              HasSubstr("eval_files held other documents: 8 and 7"));
  EXPECT_THAT(refusal_of([](DocumentTable& table) {
                ++table.documents[5].tokens;
                ++table.documents[5].bands[2].tokens;
              }),
              HasSubstr("eval_files held other targets in document 5"));
  EXPECT_THAT(refusal_of([](DocumentTable& table) {
                ++table.documents[5].bands[2].tokens;
                --table.documents[5].bands[3].tokens;
              }),
              HasSubstr("targets of band 5-19 in document 5"));
  EXPECT_THAT(refusal_of([](DocumentTable& table) { table.taus[4] = 1.5; }),
              HasSubstr("eval_bias_grid"));
}

TEST_F(CompareRunsTest, TheSameAlphaAndSeedTwiceIsRefused) {
  add_arms();
  add({.alpha = 0.5, .seed = 3, .learning_rate = 1});
  EXPECT_THAT(refusal<ConfigError>(),
              AllOf(HasSubstr("pdl_alpha 0.5 and seed 3"), HasSubstr("/r5'"), HasSubstr("/r10'")));
  runs_.pop_back();
  runs_.push_back(runs_[0]);
  EXPECT_THAT(refusal<ConfigError>(), HasSubstr("pdl_alpha 0 and seed 1"));
}

TEST_F(CompareRunsTest, RunsWithoutAPairAreRefused) {
  EXPECT_THAT(refusal<ConfigError>(), HasSubstr("no run"));
  add({.alpha = 0.5});
  EXPECT_THAT(refusal<ConfigError>(), HasSubstr("no run has pdl_alpha 0"));
  runs_.clear();
  add({.alpha = 0});
  EXPECT_THAT(refusal<ConfigError>(), HasSubstr("all runs have pdl_alpha 0"));
  add({.alpha = 0.5, .seed = 2});
  EXPECT_THAT(refusal<ConfigError>(), HasSubstr("no run has a seed"));
}

TEST_F(CompareRunsTest, ARunThatHasNotFinishedIsRefused) {
  add({.alpha = 0});
  const fs::path run = add({.alpha = 0.5});
  for (const char* status : {"interrupted", "time_limit", "diverged", "other"}) {
    folder_.file("r1/summary.json", json{{"status", status}}.dump());
    EXPECT_THAT(refusal<ConfigError>(),
                AllOf(HasSubstr("/r1' has not finished"), HasSubstr(status)));
  }
  folder_.file("r1/summary.json", R"({"status": "early_stopped"})");
  EXPECT_EQ(refusal<ConfigError>(), "compared");
  fs::remove(run / "summary.json");
  EXPECT_THAT(refusal<ConfigError>(), HasSubstr("/r1' has not finished"));
}

TEST_F(CompareRunsTest, ADamagedOrMissingFileIsRefused) {
  add({.alpha = 0});
  const fs::path run = add({.alpha = 0.5});
  for (const char* file : {"config.json", "summary.json", "documents.jsonl"}) {
    const std::string content = file_content(run / file);
    for (const std::string& damaged :
         {std::string(), content.substr(0, content.size() / 2), std::string("[]\n"),
          std::string("{}\n"), content + "x", content + std::string(1, '\0')}) {
      folder_.file("r1/" + std::string(file), damaged);
      EXPECT_THAT(refusal<DataError>(), HasSubstr(file)) << damaged.substr(0, 60);
    }
    folder_.file("r1/" + std::string(file), content);
    EXPECT_EQ(refusal<DataError>(), "compared");
  }
  for (const char* key : {"pdl_alpha", "seed", "learning_rate"}) {
    set_key(run, key, nullptr);
    EXPECT_THAT(refusal<DataError>(), AllOf(HasSubstr("config.json"), HasSubstr(key)));
    folder_.file("r1/config.json", made_config({.alpha = 0.5}));
  }
  for (const char* file : {"config.json", "documents.jsonl"}) {
    const std::string content = file_content(run / file);
    fs::remove(run / file);
    EXPECT_THAT(refusal<DataError>(), HasSubstr(file));
    fs::create_directory(run / file);
    EXPECT_THAT(refusal<DataError>(), HasSubstr("is a folder"));
    fs::remove(run / file);
    folder_.file("r1/" + std::string(file), content);
  }
  runs_.push_back(folder_ / "nothing");
  EXPECT_THAT(refusal<DataError>(), HasSubstr("nothing"));
}

TEST_F(CompareRunsTest, FiguresThatAreNotFiniteAreRefusedWithTheDocument) {
  add({.alpha = 0});
  add({.alpha = 0.5});
  for (const double figure :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 1e300}) {
    DocumentTable table = made_documents({.alpha = 0.5});
    table.documents[6].ce_sum[1] = figure;
    folder_.file("r1/documents.jsonl", to_jsonl(table));
    EXPECT_THAT(refusal<DataError>(), AllOf(HasSubstr("document 6 in '"), HasSubstr("/r1/")));
    table = made_documents({.alpha = 0.5});
    table.documents[7].bands[4].ce_sum[0] = figure;
    folder_.file("r1/documents.jsonl", to_jsonl(table));
    EXPECT_THAT(refusal<DataError>(), AllOf(HasSubstr("document 7 in '"), HasSubstr("/r1/")));
  }
}

TEST_F(CompareRunsTest, TargetsInOneHalfAloneAreRefused) {
  for (const double alpha : {0.0, 0.5}) {
    const fs::path run = add({.alpha = alpha});
    folder_.file(run.filename().string() + "/documents.jsonl",
                 to_jsonl(made_documents({.alpha = alpha}, 1)));
  }
  EXPECT_THAT(refusal<DataError>(), HasSubstr("no target in documents with odd numbers"));
}

}  // namespace
}  // namespace pdl
