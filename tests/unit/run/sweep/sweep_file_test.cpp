#include "run/sweep/sweep_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "pdl/base/error.h"
#include "pdl/config/load_config.h"
#include "run/sweep/sweep_config.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(SweepFolderTest, NoUpdateOfSeveralShardsIsLost) {
  const TempFolder temp;
  const SweepFolder folder(temp / "sweep");
  SweepGrid grid{{0.25, 0.5}, {}, {1e-3}};
  for (int64_t seed = 1; seed <= 20; ++seed) grid.seeds.push_back(seed);
  const std::vector<SweepCell> cells = plan_cells(grid);
  std::vector<std::thread> shards;
  for (int64_t index = 0; index < 4; ++index) {
    shards.emplace_back([&, index] {
      folder.update([&](SweepRecord& record) { record.add(cells); });
      for (const SweepCell& cell : cells_of_shard(cells, {index, 4})) {
        folder.update([&](SweepRecord& record) { record.set({cell, CellState::kFinished, 0}); });
      }
    });
  }
  for (std::thread& shard : shards) shard.join();
  const SweepRecord record = folder.update([](SweepRecord&) {});
  EXPECT_EQ(record.cells().size(), 60U);
  for (const CellRecord& cell : record.cells()) EXPECT_EQ(cell.state, CellState::kFinished);
  EXPECT_EQ(file_content(folder.record()), record.json());
  EXPECT_FALSE(std::filesystem::exists(folder.path() / ".lock"));
}

TEST(SweepFolderTest, AChangeThatThrowsLeavesNothing) {
  const TempFolder temp;
  const SweepFolder folder(temp / "sweeps" / "a");
  EXPECT_THROW(folder.update([](SweepRecord&) { throw ConfigError("no"); }), ConfigError);
  EXPECT_FALSE(std::filesystem::exists(temp / "sweeps"));
}

TEST(SweepFolderTest, ADamagedFileIsNamedAndKept) {
  const TempFolder temp;
  temp.file("sweep.json", "{");
  const SweepFolder folder(temp.path());
  try {
    folder.update([](SweepRecord& record) { record.add(plan_cells({{}, {1}, {1e-3}})); });
    FAIL() << "no error";
  } catch (const DataError& problem) {
    EXPECT_THAT(problem.what(), HasSubstr(folder.record().string()));
  }
  EXPECT_EQ(file_content(folder.record()), "{");
}

template <class Work>
std::string refusal_of(const Work& work) {
  try {
    work();
  } catch (const ConfigError& problem) {
    return problem.what();
  }
  return "";
}

TEST(SweepConfigTest, AGridByWhichNothingIsComparedIsRefused) {
  const TempFolder temp;
  RunConfig config;
  config.output_dir = temp / "sweep";
  const auto refusal = [&](const std::string& grid) {
    config.evaluation.eval_bias_grid = grid;
    return refusal_of([&] { require_sweepable(config); });
  };
  for (const char* good : {"-1:1:0.125", "0:0:1", "-0.3:1:0.1"}) EXPECT_EQ(refusal(good), "");
  for (const char* bad : {"0.125:1:0.125", "-1:1:0.3", "-1:-0.5:0.5"})
    EXPECT_THAT(refusal(bad), AllOf(HasSubstr("eval_bias_grid"), HasSubstr(bad),
                                    HasSubstr("no tau 0"), HasSubstr("-1:1:0.125")));
  EXPECT_THAT(refusal(""), HasSubstr("eval_bias_grid: \"\" does not go with a sweep"));
  EXPECT_THAT(refusal("1:x"), HasSubstr("eval_bias_grid '1:x'"));
}

TEST(SweepConfigTest, AlphaZeroAloneIsRefused) {
  SweepRecord record;
  record.add(plan_cells({{0}, {1, 2}, {1e-3}}));
  EXPECT_THAT(refusal_of([&] { require_two_alphas(record); }), HasSubstr("pdl_alpha: 0 is the"));
  record.add(plan_cells({{0.25}, {1}, {1e-3}}));
  EXPECT_EQ(refusal_of([&] { require_two_alphas(record); }), "");
}

TEST(SweepConfigTest, WhatFollowsFromTheFolderOfACellMayNotDiffer) {
  const TempFolder temp;
  SweepRecord record;
  record.add(plan_cells({{0.5}, {1}, {1e-3}}));
  RunConfig config;
  config.output_dir = temp.path();
  const SweepCell cell = record.cells()[1].cell;
  const auto refusal = [&](const auto& change) {
    RunConfig of_cell = cell_config(config, cell);
    change(of_cell);
    temp.file(cell.folder + "/config.json", config_to_json(of_cell));
    return refusal_of([&] { require_same_config(config, record); });
  };
  EXPECT_EQ(refusal([](RunConfig&) {}), "");
  EXPECT_EQ(refusal([](RunConfig& other) { other.samples.sample_top_p = 0.5; }), "");
  EXPECT_THAT(refusal([](RunConfig& other) { other.weights.pdl_alpha = 1; }),
              HasSubstr("another pdl_alpha"));
  EXPECT_THAT(refusal([](RunConfig& other) { other.training.seed = 9; }),
              HasSubstr("another seed"));
  EXPECT_THAT(refusal([](RunConfig& other) { other.schedule.learning_rate = 9; }),
              HasSubstr("another learning_rate"));
}

TEST(SweepConfigTest, AllCellsHaveTheDateOfTheFirst) {
  const TempFolder temp;
  SweepRecord record;
  record.add(plan_cells({{0.5}, {1, 2}, {1e-3}}));
  RunConfig config;
  config.output_dir = temp.path();
  const std::string today = with_date_of_cells(config, record).text.chat_date;
  EXPECT_EQ(today.size(), 10U);
  temp.file("alpha=0/seed=2/config.json", R"({"chat_date":"2001-02-03"})");
  EXPECT_EQ(with_date_of_cells(config, record).text.chat_date, "2001-02-03");
  EXPECT_EQ(with_date_of_cells(config, record).output_dir, temp.path());
  config.text.chat_date = "2020-01-01";
  EXPECT_EQ(with_date_of_cells(config, record).text.chat_date, "2020-01-01");
}

}  // namespace
}  // namespace pdl
