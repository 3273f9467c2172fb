#include "pdl/run/training_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "pdl/base/error.h"
#include "pdl/checkpoint/checkpoint.h"
#include "pdl/run/run_folder.h"
#include "run/small_job.h"

namespace pdl {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// Returns the lines of metrics.jsonl by event, without the fields that measure time.
std::vector<json> lines_of(const SmallJob& job, const std::set<std::string>& events) {
  std::vector<json> lines;
  std::istringstream text(file_content(RunFolder(job.config.output_dir).metrics()));
  for (std::string line; std::getline(text, line);) {
    json object = json::parse(line);
    if (!events.contains(object["event"])) continue;
    for (const char* time : {"tokens_per_second", "step_ms", "wall_seconds"}) object.erase(time);
    lines.push_back(object);
  }
  return lines;
}

std::string weights_of(const SmallJob& job) {
  return file_content(job.config.output_dir / "model.safetensors");
}

// Stops with a signal once `steps` steps have been voted on.
class StopAfter : public RunControl {
 public:
  explicit StopAfter(int64_t steps) : steps_(steps) {}
  void begin() override { has_begun = true; }
  bool stop_requested() override { return ++asked_ >= steps_; }
  int stop_signal() const override { return signal; }
  bool take_save_request() override { return false; }

  int signal = SIGTERM;
  bool has_begun = false;

 private:
  int64_t steps_;
  int64_t asked_ = 0;
};

// It fails at the shape of a whole micro-batch alone, which nothing before the first step tries.
TEST(TrainingRunTest, ARefusalAtTheFirstStepLeavesNothing) {
  SmallJob job(
      "def forward(self, input_ids):\n"
      "    assert input_ids.size(0) < 7, 'too many'\n"
      "    x = torch.matmul(torch.embedding(self.embedding, input_ids), self.mix)\n"
      "    return torch.matmul(x, self.embedding.t()) + self.bias\n");
  job.config.training.per_device_train_batch_size = 7;
  EXPECT_THROW(run_training(job.config), ModelError);
  EXPECT_FALSE(std::filesystem::exists(job.config.output_dir));
  std::filesystem::create_directories(job.config.output_dir);
  std::filesystem::create_directories(job.config.output_dir / "runs");
  job.folder.file("out/runs/events", "of another run");
  job.folder.file("out/notes.txt", "of the user");
  EXPECT_THROW(run_training(job.config), ModelError);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(job.config.output_dir), {}), 2);
  EXPECT_EQ(file_content(job.config.output_dir / "runs" / "events"), "of another run");
}

TEST(TrainingRunTest, LeavesTheFilesOfARun) {
  SmallJob job;
  const std::optional<RunSummary> summary = run_training(job.config);
  ASSERT_TRUE(summary.has_value());
  EXPECT_EQ(summary->status, RunStatus::kFinished);
  EXPECT_EQ(summary->exit_code, 0);
  EXPECT_EQ(summary->steps, 6);
  EXPECT_TRUE(summary->final_eval.has_value());
  const RunFolder folder(job.config.output_dir);
  for (const auto& file : {folder.config(), folder.frequency(), folder.metrics(), folder.summary()})
    EXPECT_TRUE(std::filesystem::exists(file)) << file;
  EXPECT_TRUE(std::filesystem::exists(job.config.output_dir / "model.pt"));
  EXPECT_FALSE(std::filesystem::exists(folder.tensorboard()));  // switched off
  EXPECT_EQ(find_damage(checkpoint_folder(job.config.output_dir, 6)), "");
  EXPECT_EQ(lines_of(job, {"train"}).size(), 3U);
  EXPECT_EQ(lines_of(job, {"eval"}).size(), 2U);
}

TEST(TrainingRunTest, ACompleteRunIsLeftAlone) {
  SmallJob job;
  run_training(job.config);
  const std::string summary = file_content(RunFolder(job.config.output_dir).summary());
  EXPECT_FALSE(run_training(job.config).has_value());
  EXPECT_EQ(file_content(RunFolder(job.config.output_dir).summary()), summary);
}

// Such as the folder of the model that is trained.
TEST(TrainingRunTest, ReplacesNoFileThatIsOfNoRun) {
  for (const char* name : {"model.pt", "model.safetensors", "config.json"}) {
    SmallJob job;
    std::filesystem::create_directory(job.config.output_dir);
    const std::filesystem::path file = job.config.output_dir / name;
    std::ofstream(file) << "somebody else's";
    try {
      run_training(job.config);
      FAIL() << name;
    } catch (const ConfigError& problem) {
      EXPECT_THAT(problem.what(), HasSubstr(std::string("'") + name + "'"));
    }
    EXPECT_EQ(file_content(file), "somebody else's");
    EXPECT_FALSE(std::filesystem::exists(job.config.output_dir / "train.log"));
    std::filesystem::remove(file);
    std::ofstream(job.config.output_dir / "slurm-1.out") << "not in the way";
    EXPECT_TRUE(run_training(job.config).has_value());
    std::filesystem::remove_all(job.config.output_dir / "checkpoint-2");
    std::filesystem::remove_all(job.config.output_dir / "checkpoint-4");
    std::filesystem::remove_all(job.config.output_dir / "checkpoint-6");
    EXPECT_TRUE(run_training(job.config).has_value());  // a run may replace its own
  }
}

// A summary alone does not make a run complete: one that was stopped has one, too, but no model.
TEST(TrainingRunTest, AStoppedRunThatNeedsNoFurtherStepGetsItsModel) {
  SmallJob job;
  StopAfter control(4);
  run_training(job.config, {.control = &control});
  EXPECT_FALSE(std::filesystem::exists(job.config.output_dir / "model.pt"));
  const int64_t stopped_at = list_checkpoints(job.config.output_dir).back().first;
  ASSERT_LT(stopped_at, 6);
  job.config.training.max_steps = stopped_at;
  const std::optional<RunSummary> summary = run_training(job.config);
  ASSERT_TRUE(summary.has_value());
  EXPECT_EQ(summary->status, RunStatus::kFinished);
  EXPECT_TRUE(std::filesystem::exists(job.config.output_dir / "model.pt"));
  EXPECT_FALSE(run_training(job.config).has_value());
}

TEST(TrainingRunTest, AStoppedRunGoesOnToTheSameEnd) {
  SmallJob whole;
  run_training(whole.config);
  for (int64_t steps = 1; steps <= 7;
       ++steps) {  // votes: one per step, one per batch of evaluation
    SmallJob job;
    StopAfter control(steps);
    const std::optional<RunSummary> stopped = run_training(job.config, {.control = &control});
    EXPECT_TRUE(control.has_begun);
    ASSERT_TRUE(stopped.has_value());
    EXPECT_EQ(stopped->status, RunStatus::kInterrupted);
    EXPECT_EQ(stopped->exit_code, 128 + SIGTERM);
    const std::optional<RunSummary> ended = run_training(job.config);
    EXPECT_EQ(ended->status, RunStatus::kFinished);
    EXPECT_EQ(lines_of(job, {"train", "eval"}), lines_of(whole, {"train", "eval"})) << steps;
    EXPECT_EQ(weights_of(job), weights_of(whole)) << steps;
  }
}

TEST(TrainingRunTest, AStopWithoutASignalIsTheTimeLimit) {
  SmallJob job;
  StopAfter control(2);
  control.signal = 0;
  const std::optional<RunSummary> summary = run_training(job.config, {.control = &control});
  EXPECT_EQ(summary->status, RunStatus::kTimeLimit);
  EXPECT_EQ(summary->exit_code, 0);
}

TEST(TrainingRunTest, ADivergedRunSaysSo) {
  SmallJob job(kPoisonedSource);
  job.config.training.max_bad_steps = 2;
  EXPECT_THROW(run_training(job.config), NumericError);
  const json summary = json::parse(file_content(RunFolder(job.config.output_dir).summary()));
  EXPECT_EQ(summary["status"], "diverged");
  EXPECT_EQ(summary["exit_code"], 7);
}

// changed_config_test.py tests key by key what may change on a resume.
TEST(TrainingRunTest, AResumeWithAnotherModelDataOrWeightsIsRefused) {
  const auto refuses = [](const std::function<void(SmallJob&)>& change) -> std::string {
    SmallJob job;
    run_training(job.config);
    job.config.training.max_steps = 8;
    change(job);
    try {
      run_training(job.config);
    } catch (const Error& problem) {
      return std::to_string(static_cast<int>(problem.code())) + " " + problem.what();
    }
    return "";
  };
  EXPECT_EQ(refuses([](SmallJob&) {}), "");
  EXPECT_THAT(refuses([](SmallJob& job) { job.config.weights.pdl_alpha = 0.5; }),
              HasSubstr("2 cannot resume from"));
  EXPECT_THAT(refuses([](SmallJob& job) {
                script_module(kDropoutSource).save((job.folder / "model.pt").string());
              }),
              HasSubstr("4 model"));
  EXPECT_THAT(
      refuses([](SmallJob& job) { job.folder.file("train.npy", npy_of(random_ids(300, 7))); }),
      HasSubstr("3 a file of 'train_files'"));
}

TEST(TrainingRunTest, ARefusedRunCreatesNothing) {
  SmallJob job;
  job.config.model_path = job.folder / "none.pt";
  EXPECT_THROW(run_training(job.config), ModelError);
  EXPECT_FALSE(std::filesystem::exists(job.config.output_dir));
}

}  // namespace
}  // namespace pdl
