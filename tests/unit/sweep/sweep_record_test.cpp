#include "pdl/sweep/sweep_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "pdl/base/error.h"

namespace pdl {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kPath = "/sweeps/a/sweep.json";

std::vector<std::string> folders_of(const SweepRecord& record) {
  std::vector<std::string> folders;
  for (const CellRecord& cell : record.cells()) folders.push_back(cell.cell.folder);
  return folders;
}

SweepRecord record_of(const SweepGrid& grid) {
  SweepRecord record;
  record.add(plan_cells(grid));
  return record;
}

template <class Blame>
std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const Blame& problem) {
    return problem.what();
  }
  return "no refusal";
}

std::string load_refusal(const std::string& text) {
  return refusal<DataError>([&] { SweepRecord(text, kPath); });
}

// ------------------------------------------------------------------ the file

TEST(SweepRecordTest, TheFileIsTheOneThatIsDocumented) {
  SweepRecord record = record_of({{0.25}, {1}, {5e-5}});
  record.set({record.cells()[0].cell, CellState::kFinished, 0});
  record.set({record.cells()[1].cell, CellState::kFailed, 7});
  const json expected = {{"format", "pdl-sweep"},
                         {"version", 1},
                         {"exit_code", 7},
                         {"cells",
                          {{{"alpha", 0.0},
                            {"seed", 1},
                            {"learning_rate", 5e-5},
                            {"folder", "alpha=0/seed=1"},
                            {"state", "finished"},
                            {"exit_code", 0}},
                           {{"alpha", 0.25},
                            {"seed", 1},
                            {"learning_rate", 5e-5},
                            {"folder", "alpha=0.25/seed=1"},
                            {"state", "failed"},
                            {"exit_code", 7}}}}};
  EXPECT_EQ(json::parse(record.json()), expected);
}

TEST(SweepRecordTest, EveryRecordReadsBackAsItIs) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 200; ++i) {
    const double rate = std::uniform_real_distribution<double>(0, 1e-3)(random);
    SweepRecord record = record_of({{0.25, 1.0 / 3}, {1, 2, 9007199254740993}, {rate, rate / 3}});
    const std::vector<CellRecord> cells = record.cells();
    for (const CellRecord& cell : cells) {
      const auto state = static_cast<CellState>(random() % 6);
      const bool has_code = state != CellState::kWaiting && state != CellState::kRunning;
      record.set({cell.cell, state,
                  has_code ? std::optional(static_cast<int>(random() % 256)) : std::nullopt});
    }
    EXPECT_EQ(SweepRecord(record.json(), kPath).json(), record.json());
  }
  EXPECT_EQ(SweepRecord(SweepRecord().json(), kPath).json(), SweepRecord().json());
}

TEST(SweepRecordTest, ADamagedFileIsNamed) {
  const std::string good = record_of({{0.25}, {1, 2}, {5e-5}}).json();
  for (size_t size = 0; size + 2 < good.size(); size += 7) {
    EXPECT_THAT(load_refusal(good.substr(0, size)), HasSubstr(kPath)) << size;
  }
  const std::vector<std::function<void(json&)>> damages = {
      [](json& root) { root["format"] = "pdl-frequency"; },
      [](json& root) { root["version"] = 2; },
      [](json& root) { root["exit_code"] = -1; },
      [](json& root) { root["more"] = 1; },
      [](json& root) { root["cells"] = json::object(); },
      [](json& root) { root["cells"][1] = 5; },
      [](json& root) { root["cells"][1].erase("seed"); },
      [](json& root) { root["cells"][1]["seed"] = -3; },
      [](json& root) { root["cells"][1]["seed"] = 1.5; },
      [](json& root) { root["cells"][1]["alpha"] = "0"; },
      [](json& root) { root["cells"][1]["alpha"] = -1; },
      [](json& root) { root["cells"][1]["learning_rate"] = nullptr; },
      [](json& root) { root["cells"][1]["state"] = "done"; },
      [](json& root) { root["cells"][1]["exit_code"] = 256; },
      [](json& root) { root["cells"][1]["exit_code"] = "0"; },
      [](json& root) { root["cells"][1]["folder"] = "../../alpha=0/seed=2"; },
      [](json& root) { root["cells"][1]["folder"] = "/etc"; },
      [](json& root) { root["cells"][1]["folder"] = "alpha=0/seed=1"; },
      [](json& root) { root["cells"][1]["other"] = 0; },
      [](json& root) { root["cells"].push_back(root["cells"][1]); },
      [](json& root) {  // the same run in the other folder that it might have
        root["cells"].push_back(root["cells"][1]);
        root["cells"].back()["folder"] = "alpha=0/lr=5e-05/seed=2";
      },
      [](json& root) {  // another rate in the same folder
        root["cells"].push_back(root["cells"][1]);
        root["cells"].back()["learning_rate"] = 1e-3;
      }};
  for (size_t i = 0; i < damages.size(); ++i) {
    json root = json::parse(good);
    damages[i](root);
    EXPECT_THAT(load_refusal(root.dump()), HasSubstr(kPath)) << i;
  }
  EXPECT_EQ(load_refusal(good), "no refusal");
  EXPECT_THAT(load_refusal(std::string(200'000, '[')), HasSubstr("nested"));
}

TEST(SweepRecordTest, TheExitCodeIsTheLargest) {
  SweepRecord record = record_of({{0.25}, {1, 2}, {5e-5}});
  EXPECT_EQ(record.exit_code(), 0);
  const std::vector<CellRecord> cells = record.cells();
  record.set({cells[0].cell, CellState::kFailed, 7});
  record.set({cells[1].cell, CellState::kFailed, 3});
  EXPECT_EQ(record.exit_code(), 7);
  for (const CellRecord& cell : cells) record.set({cell.cell, CellState::kFinished, 0});
  EXPECT_EQ(record.exit_code(), 0);
}

// ------------------------------------------------------------------ another grid

TEST(SweepRecordTest, AFurtherAlphaOrSeedIsAddedInItsPlace) {
  SweepRecord record = record_of({{0.5}, {2}, {5e-5}});
  const std::vector<CellRecord> cells = record.cells();
  for (const CellRecord& cell : cells) record.set({cell.cell, CellState::kFinished, 0});
  record.add(plan_cells({{0.25}, {1, 2}, {5e-5}}));
  EXPECT_THAT(folders_of(record),
              ElementsAre("alpha=0/seed=1", "alpha=0/seed=2", "alpha=0.25/seed=1",
                          "alpha=0.25/seed=2", "alpha=0.5/seed=2"));
  EXPECT_EQ(record.cells()[1].state, CellState::kFinished);
  EXPECT_EQ(record.cells()[2].state, CellState::kWaiting);
  EXPECT_EQ(record.cells()[4].state, CellState::kFinished);  // not asked for, not forgotten
}

TEST(SweepRecordTest, OnlyACellThatNobodyHasBegunIsDropped) {
  for (const CellState state :
       {CellState::kWaiting, CellState::kRunning, CellState::kFinished, CellState::kTimeLimit,
        CellState::kInterrupted, CellState::kFailed}) {
    SweepRecord record = record_of({{0.5}, {1}, {5e-5}});
    record.set({record.cells()[1].cell, state, std::nullopt});
    record.add(plan_cells({{0.25}, {1}, {5e-5}}));
    EXPECT_EQ(record.cells().size(), state == CellState::kWaiting ? 2U : 3U);
  }
}

TEST(SweepRecordTest, ASweepOfOneRateKeepsItsFoldersWhenARateIsAdded) {
  SweepRecord record = record_of({{}, {1}, {5e-5}});
  record.set({record.cells()[0].cell, CellState::kFinished, 0});
  const std::vector<SweepCell> placed = record.add(plan_cells({{}, {1}, {1e-3, 5e-5}}));
  ASSERT_EQ(placed.size(), 2U);
  EXPECT_EQ(placed[0].folder, "alpha=0/seed=1");
  EXPECT_EQ(placed[1].folder, "alpha=0/lr=0.001/seed=1");
  EXPECT_EQ(SweepRecord(record.json(), kPath).json(), record.json());
}

TEST(SweepRecordTest, AnotherRateInTheSameFolderIsRefused) {
  SweepRecord record = record_of({{}, {1}, {5e-5}});
  record.set({record.cells()[0].cell, CellState::kFailed, 7});
  EXPECT_THAT(refusal<ConfigError>([&] {
                record.add(plan_cells({{}, {1}, {1e-3}}));
              }),
              AllOf(HasSubstr("learning_rate"), HasSubstr("5e-05"), HasSubstr("0.001")));
}

}  // namespace
}  // namespace pdl
