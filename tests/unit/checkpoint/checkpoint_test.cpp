#include "pdl/checkpoint/checkpoint.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "pdl/base/error.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

CheckpointTensors tensors(double value) {
  return {{{"w", at::full({2, 3}, value), {}}, {"ids", at::arange(5), {}}},
          {{"w.step", at::full({}, value), {}}}};
}

std::filesystem::path save_all(const TempFolder& folder, int64_t step,
                               const CheckpointTensors& tensors) {
  TrainerState state;
  state.step = step;
  RunIdentity identity;
  identity.config_json = "{}";
  return save_checkpoint(folder.path(), tensors, state, identity);
}

std::filesystem::path save(const TempFolder& folder, int64_t step, double value = 1.5) {
  return save_all(folder, step, tensors(value));
}

TEST(CheckpointTest, LoadsWhatItSaved) {
  const TempFolder folder;
  const auto checkpoint = save(folder, 7);
  EXPECT_EQ(checkpoint.filename(), "checkpoint-7");
  EXPECT_EQ(find_damage(checkpoint), "");
  const CheckpointTensors loaded = tensors(0);
  load_checkpoint_tensors(checkpoint, loaded);
  EXPECT_TRUE(at::equal(loaded.model[0].tensor, tensors(1.5).model[0].tensor));
  EXPECT_EQ(loaded.optimizer[0].tensor.item<double>(), 1.5);
  EXPECT_EQ(load_trainer_state(checkpoint).first.step, 7);
}

TEST(CheckpointTest, EveryChangedByteIsDamage) {
  const TempFolder folder;
  const auto checkpoint = save(folder, 7);
  for (const auto& entry : std::filesystem::directory_iterator(checkpoint)) {
    const std::string content = file_content(entry.path());
    for (size_t at = 0; at < content.size(); at += 7) {
      std::string changed = content;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      std::ofstream(entry.path(), std::ios::binary) << changed;
      EXPECT_NE(find_damage(checkpoint), "") << entry.path() << " byte " << at;
    }
    std::ofstream(entry.path(), std::ios::binary) << content;
  }
  EXPECT_EQ(find_damage(checkpoint), "");
  std::filesystem::remove(checkpoint / "optimizer.safetensors");
  EXPECT_NE(find_damage(checkpoint), "");
  EXPECT_EQ(find_damage(folder / "none"), "there is no such folder");
}

TEST(CheckpointTest, OtherTensorsAreRefusedAndNothingIsCopied) {
  const TempFolder folder;
  const auto checkpoint = save(folder, 1);
  CheckpointTensors other = tensors(0);
  other.model[1].tensor = at::zeros({4}, at::kLong);
  EXPECT_THROW(load_checkpoint_tensors(checkpoint, other), CheckpointError);
  EXPECT_EQ(other.model[0].tensor.abs().sum().item<double>(), 0);
  other = tensors(0);
  other.model.pop_back();
  EXPECT_THROW(load_checkpoint_tensors(checkpoint, other), CheckpointError);
  other = tensors(0);
  other.model[0].name = "v";
  EXPECT_THROW(load_checkpoint_tensors(checkpoint, other), CheckpointError);
}

TEST(CheckpointTest, StatesOfRandomGeneratorsInOlderCheckpointsAreLeftOut) {
  const TempFolder folder;
  CheckpointTensors older = tensors(2);
  older.optimizer.push_back({"generator.cpu", at::zeros({5056}, at::kByte), {}});
  const auto checkpoint = save_all(folder, 1, older);
  const CheckpointTensors loaded = tensors(0);
  load_checkpoint_tensors(checkpoint, loaded);
  EXPECT_EQ(loaded.optimizer[0].tensor.item<double>(), 2);
}

TEST(CheckpointTest, ListsStepsInOrderAndNothingElse) {
  const TempFolder folder;
  for (const int64_t step : {9, 10, 2}) save(folder, step);
  std::filesystem::create_directories(folder / "checkpoint-x");
  std::filesystem::create_directories(folder / "checkpoint-");
  std::filesystem::create_directories(folder / "checkpoint-11");  // damaged, but there
  const auto checkpoints = list_checkpoints(folder.path());
  std::vector<int64_t> steps;
  for (const auto& [step, path] : checkpoints) steps.push_back(step);
  EXPECT_EQ(steps, (std::vector<int64_t>{2, 9, 10, 11}));
  EXPECT_TRUE(list_checkpoints(folder / "none").empty());
}

TEST(CheckpointTest, PruningKeepsTheNewestAndTheBest) {
  const TempFolder folder;
  for (const int64_t step : {1, 2, 3, 4, 5}) save(folder, step);
  prune_checkpoints(folder.path(), {.limit = 0, .current_step = 5});
  EXPECT_EQ(list_checkpoints(folder.path()).size(), 5U);
  prune_checkpoints(folder.path(), {.limit = 3, .current_step = 5, .best_step = 1});
  std::vector<int64_t> steps;
  for (const auto& [step, path] : list_checkpoints(folder.path())) steps.push_back(step);
  EXPECT_EQ(steps, (std::vector<int64_t>{1, 4, 5}));
}

std::vector<int64_t> steps_in(const TempFolder& folder) {
  std::vector<int64_t> steps;
  for (const auto& [step, path] : list_checkpoints(folder.path())) steps.push_back(step);
  return steps;
}

TEST(CheckpointTest, PruningNeverTakesTheCheckpointJustSaved) {
  const TempFolder folder;
  for (const int64_t step : {7, 8, 9, 12}) save(folder, step);  // 12 was passed over
  prune_checkpoints(folder.path(), {.limit = 2, .current_step = 9});
  EXPECT_EQ(steps_in(folder), (std::vector<int64_t>{8, 9}));
}

TEST(CheckpointTest, PruningLeavesTwo) {
  const TempFolder folder;
  for (const int64_t step : {1, 2, 3}) save(folder, step);
  prune_checkpoints(folder.path(), {.limit = 1, .current_step = 3});
  EXPECT_EQ(steps_in(folder), (std::vector<int64_t>{2, 3}));
}

TEST(CheckpointTest, PruningLeavesTwoThatVerify) {
  const TempFolder folder;
  for (const int64_t step : {1, 2, 3, 4}) save(folder, step);
  folder.file("checkpoint-3/model.safetensors", "rotten");
  prune_checkpoints(folder.path(), {.limit = 2, .current_step = 4});
  EXPECT_EQ(steps_in(folder), (std::vector<int64_t>{2, 3, 4}));
}

TEST(CheckpointTest, ACheckpointOfAnotherStepThanItsNameIsDamaged) {
  const TempFolder folder;
  save(folder, 3);
  std::filesystem::rename(folder / "checkpoint-3", folder / "checkpoint-4");
  EXPECT_NE(find_damage(folder / "checkpoint-4"), "");
  std::filesystem::rename(folder / "checkpoint-4", folder / "my copy");
  EXPECT_EQ(find_damage(folder / "my copy"), "");
}

TEST(CheckpointTest, FilesOfAnotherCheckpointAreDamage) {
  const TempFolder folder;
  save(folder, 3, 1.0);
  save(folder, 4, 2.0);
  for (const char* name :
       {"model.safetensors", "optimizer.safetensors", "trainer_state.json", "MANIFEST.json"}) {
    const std::string own = file_content(folder / "checkpoint-3" / name);
    folder.file(std::string("checkpoint-3/") + name, file_content(folder / "checkpoint-4" / name));
    EXPECT_NE(find_damage(folder / "checkpoint-3"), "") << name;
    folder.file(std::string("checkpoint-3/") + name, own);
  }
  EXPECT_EQ(find_damage(folder / "checkpoint-3"), "");
}

TEST(CheckpointTest, SavingAStepAgainReplacesIt) {
  const TempFolder folder;
  save(folder, 3, 1.0);
  const auto checkpoint = save(folder, 3, 2.0);
  const CheckpointTensors loaded = tensors(0);
  load_checkpoint_tensors(checkpoint, loaded);
  EXPECT_EQ(loaded.optimizer[0].tensor.item<double>(), 2.0);
}

}  // namespace
}  // namespace pdl
