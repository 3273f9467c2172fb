#include "pdl/checkpoint/checkpoint_saver.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "pdl/base/error.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

class CheckpointSaverTest : public ::testing::Test {
 protected:
  CheckpointSaverTest() { identity_.config_json = "{}"; }

  CheckpointSaver saver() { return {{.output_dir = folder_ / "out", .companions = {}}, identity_}; }
  // Writing there fails from now on.
  void break_storage() {
    std::filesystem::remove_all(folder_ / "out");
    folder_.file("out", "a file, not a folder");
  }
  void mend_storage() {
    std::filesystem::remove_all(folder_ / "out");
    std::filesystem::create_directory(folder_ / "out");
  }
  static TrainerState at_step(int64_t step) {
    TrainerState state;
    state.step = step;
    return state;
  }
  double saved_value(int64_t step) const {
    CheckpointTensors loaded{whole_slices({{"w", at::full({4}, 0.0), {}}}), {}};
    load_checkpoint_tensors(folder_ / "out" / ("checkpoint-" + std::to_string(step)), loaded);
    return loaded.model[0].tensor[0].item<double>();
  }

  TempFolder folder_;
  RunIdentity identity_;
  CheckpointTensors tensors_{whole_slices({{"w", at::full({4}, 1.0), {}}}), {}};
};

TEST_F(CheckpointSaverTest, TheCopyIsOfTheMomentOfTheCall) {
  mend_storage();
  {
    CheckpointSaver background = saver();
    background.start(tensors_, at_step(1), std::nullopt);
    tensors_.model[0].tensor.fill_(2.0);
    background.start(tensors_, at_step(2), std::nullopt);
    tensors_.model[0].tensor.fill_(3.0);
    background.save(tensors_, at_step(3), std::nullopt);
    tensors_.model[0].tensor.fill_(4.0);
  }
  EXPECT_EQ(saved_value(1), 1.0);
  EXPECT_EQ(saved_value(2), 2.0);
  EXPECT_EQ(saved_value(3), 3.0);
}

TEST_F(CheckpointSaverTest, TheThirdFailureInARowEndsTheRun) {
  break_storage();
  CheckpointSaver failing = saver();
  failing.start(tensors_, at_step(1), std::nullopt);
  failing.start(tensors_, at_step(2), std::nullopt);
  failing.start(tensors_, at_step(3), std::nullopt);
  EXPECT_THROW(failing.start(tensors_, at_step(4), std::nullopt), StorageError);
}

TEST_F(CheckpointSaverTest, ASaveThatWorksForgetsTheFailures) {
  mend_storage();
  const auto companion = folder_ / "metrics.jsonl";  // a save fails while there is none
  CheckpointSaver sometimes({.output_dir = folder_ / "out", .companions = {companion}}, identity_);
  sometimes.start(tensors_, at_step(1), std::nullopt);
  sometimes.start(tensors_, at_step(2), std::nullopt);
  folder_.file("metrics.jsonl", "{}\n");
  sometimes.save(tensors_, at_step(3), std::nullopt);
  EXPECT_EQ(saved_value(3), 1.0);
  std::filesystem::remove(companion);
  sometimes.start(tensors_, at_step(4), std::nullopt);
  sometimes.start(tensors_, at_step(5), std::nullopt);
  EXPECT_NO_THROW(
      sometimes.start(tensors_, at_step(6), std::nullopt));  // after two failures, not four
}

TEST_F(CheckpointSaverTest, WhatMustBeSavedIsTriedAgainAtOnce) {
  break_storage();
  CheckpointSaver failing = saver();
  EXPECT_THROW(failing.save(tensors_, at_step(1), std::nullopt), StorageError);
}

TEST_F(CheckpointSaverTest, CompanionsAreSyncedBeforeTheCheckpointAppears) {
  mend_storage();
  CheckpointSaver with_companion(
      {.output_dir = folder_ / "out", .companions = {folder_ / "out" / "metrics.jsonl"}},
      identity_);
  EXPECT_THROW(with_companion.save(tensors_, at_step(1), std::nullopt),
               StorageError);  // there is none
  EXPECT_TRUE(list_checkpoints(folder_ / "out").empty());
  folder_.file("out/metrics.jsonl", "{}\n");
  CheckpointSaver again(
      {.output_dir = folder_ / "out", .companions = {folder_ / "out" / "metrics.jsonl"}},
      identity_);
  again.save(tensors_, at_step(1), std::nullopt);
  EXPECT_EQ(list_checkpoints(folder_ / "out").size(), 1U);
}

}  // namespace
}  // namespace pdl
