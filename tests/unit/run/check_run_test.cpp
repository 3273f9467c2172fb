#include "pdl/run/check_run.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "pdl/base/error.h"
#include "pdl/checkpoint/checkpoint.h"
#include "pdl/run/training_run.h"
#include "run/small_job.h"

namespace pdl {
namespace {

class StartObserver : public RunObserver {
 public:
  void on_start(const StartMetrics& metrics) override { start = metrics; }
  std::optional<StartMetrics> start;
};

TEST(CheckRunTest, TellsWhatTheJobWouldDoAndLeavesNothing) {
  SmallJob job;
  StartObserver observer;
  const CheckReport report = check_job(job.config, observer);
  ASSERT_TRUE(observer.start.has_value());
  EXPECT_EQ(observer.start->steps, 6);
  EXPECT_EQ(observer.start->num_tokens, 270);  // 30 sequences of 9 targets
  EXPECT_FALSE(report.checkpoint.has_value());
  EXPECT_EQ(report.largest_batch.batch_size, 3);
  EXPECT_EQ(report.largest_batch.length, 10);
  const int64_t weights = 4 * observer.start->parameters;
  EXPECT_EQ(report.memory.weights, weights);
  EXPECT_EQ(report.memory.optimizer, 2 * weights + 3 * 4);  // two moments, three counts of updates
  EXPECT_FALSE(std::filesystem::exists(job.config.output_dir));
}

TEST(CheckRunTest, NamesTheCheckpointThatTheJobWouldGoOnFrom) {
  SmallJob job;
  run_training(job.config);
  job.config.training.max_steps = 8;
  StartObserver observer;
  EXPECT_EQ(check_job(job.config, observer).checkpoint, job.config.output_dir / "checkpoint-6");
  job.config.weights.pdl_epsilon = 2;
  EXPECT_THROW(check_job(job.config, observer), ConfigError);
}

TEST(CheckRunTest, RefusesWhatTheJobWould) {
  SmallJob job;
  StartObserver observer;
  job.config.logits_chunk_rows = 4;
  EXPECT_THROW(check_job(job.config, observer), ConfigError);  // the model does not split its head
  job.config.logits_chunk_rows = 0;
  job.config.output_dir = job.folder / "model.pt" / "out";
  EXPECT_THROW(check_job(job.config, observer), StorageError);
}

// What no start report tells: the job reads these only when it resumes.
TEST(CheckRunTest, RefusesACheckpointThatTheJobCouldNotResume) {
  SmallJob job;
  job.config.evaluation.early_stopping_patience = 3;
  run_training(job.config);
  job.config.training.max_steps = 8;
  const auto best = nlohmann::json::parse(file_content(job.config.output_dir / "summary.json"))
                        .at("best")
                        .at("step")
                        .get<int64_t>();
  StartObserver observer;
  EXPECT_NO_THROW(check_job(job.config, observer));
  job.config.checkpoint.resume_from_checkpoint = (job.folder / "copy").string();
  std::filesystem::copy(checkpoint_folder(job.config.output_dir, 6), job.folder / "copy",
                        std::filesystem::copy_options::recursive);
  std::filesystem::remove_all(checkpoint_folder(job.config.output_dir, best));
  EXPECT_THROW(check_job(job.config, observer), CheckpointError);
}

}  // namespace
}  // namespace pdl
