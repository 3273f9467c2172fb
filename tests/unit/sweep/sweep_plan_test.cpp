#include "pdl/sweep/sweep_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace pdl {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> folders_of(const std::vector<SweepCell>& cells) {
  std::vector<std::string> folders;
  for (const SweepCell& cell : cells) folders.push_back(cell.folder);
  return folders;
}

TEST(SweepPlanTest, AlphaZeroIsAddedAndTheOrderOfTheValuesChangesNothing) {
  const auto expected = ElementsAre("alpha=0/seed=7", "alpha=0/seed=9", "alpha=0.25/seed=7",
                                    "alpha=0.25/seed=9", "alpha=0.5/seed=7", "alpha=0.5/seed=9");
  EXPECT_THAT(folders_of(plan_cells({{0.25, 0.5}, {7, 9}, {1e-3}})), expected);
  EXPECT_THAT(folders_of(plan_cells({{0.5, -0.0, 0.25, 0.5}, {9, 7, 9}, {1e-3, 1e-3}})), expected);
}

TEST(SweepPlanTest, SeveralRatesAreNamed) {
  EXPECT_THAT(folders_of(plan_cells({{0.5}, {1}, {1e-3, 2e-5}})),
              ElementsAre("alpha=0/lr=2e-05/seed=1", "alpha=0/lr=0.001/seed=1",
                          "alpha=0.5/lr=2e-05/seed=1", "alpha=0.5/lr=0.001/seed=1"));
}

TEST(SweepPlanTest, NoTwoCellsShareAFolder) {
  const std::vector<SweepCell> cells =
      plan_cells({{0.1, 0.1 + 1e-18, 0.30000000000000004, 0.3, 1e-5}, {1, 2, 11}, {1e-5, 1e-4}});
  std::set<std::string> folders;
  for (const SweepCell& cell : cells)
    EXPECT_TRUE(folders.insert(cell.folder).second) << cell.folder;
  EXPECT_EQ(cells.size(), 5U * 3U * 2U);  // 0.1 twice, and 0
}

TEST(SweepPlanTest, ShardsPartTheCellsByTheirPlaces) {
  const std::vector<SweepCell> cells = plan_cells({{0.25, 0.5}, {1, 2, 3, 4, 5}, {1e-3}});
  for (int64_t count = 1; count <= 20; ++count) {
    std::vector<std::string> found(cells.size());
    for (int64_t index = 0; index < count; ++index) {
      const std::vector<SweepCell> shard = cells_of_shard(cells, {index, count});
      for (size_t i = 0; i < shard.size(); ++i)
        found.at(i * static_cast<size_t>(count) + static_cast<size_t>(index)) = shard[i].folder;
    }
    EXPECT_EQ(found, folders_of(cells));
  }
}

}  // namespace
}  // namespace pdl
