#include "run/sweep/sweep_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "pdl/base/error.h"
#include "run/sweep/sweep_config.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

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
  EXPECT_TRUE(record.all_finished());
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
