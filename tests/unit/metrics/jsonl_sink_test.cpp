#include "pdl/metrics/jsonl_sink.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "example_metrics.h"
#include "pdl/base/error.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

using nlohmann::json;

class JsonlSinkTest : public testing::Test {
 protected:
  std::string content() const { return file_content(path_); }

  // Lists every line as "event" or "event step".
  std::vector<std::string> events() const {
    std::vector<std::string> found;
    std::istringstream lines(content());
    for (std::string line; std::getline(lines, line);) {
      const json object = json::parse(line);
      found.push_back(object["event"].get<std::string>() +
                      (object.contains("step") ? " " + object["step"].dump() : ""));
    }
    return found;
  }

  json last_line() const {
    const std::string text = content();
    EXPECT_TRUE(text.ends_with("\n"));
    const size_t begin = text.rfind('\n', text.size() - 2);
    return json::parse(text.substr(begin == std::string::npos ? 0 : begin + 1));
  }

  // A run of three steps that was evaluated at each and finished.
  void write_finished_run() const {
    JsonlSink sink(path_, std::nullopt);
    sink.on_start(example_start());
    for (int64_t step = 10; step <= 30; step += 10) {
      sink.on_step(example_step(step));
      sink.on_eval(example_eval(step));
    }
    sink.on_end(example_summary());
  }

  TempFolder folder_;
  std::filesystem::path path_ = folder_ / "metrics.jsonl";
};

TEST_F(JsonlSinkTest, StartLineHasParametersWeightsAndTopTokens) {
  JsonlSink(path_, std::nullopt).on_start(example_start());
  const json expected = json::parse(R"({"event": "start", "parameters": 1001,
    "trainable_parameters": 1000, "num_tokens": 31000, "steps": 60, "rows": 1024, "documents": 120,
    "empty_documents": 2, "counted_tokens": 40000, "counted_types": 380, "unseen_types": 4,
    "w_min": 0.1, "w_mean": 0.2, "w_max": 0.9, "unseen_share": 0.01, "rare_share": 0.03,
    "eval_unseen_share": 0.04, "eval_rare_share": 0.05, "unseen_weight_share": 0.02, "n_eff": 0.6,
    "weight_bands": {"0": {"tokens": 0, "weight_share": 0.0},
      "1-4": {"tokens": 100, "weight_share": 0.03125},
      "5-19": {"tokens": 200, "weight_share": 0.0625},
      "20-99": {"tokens": 300, "weight_share": 0.09375},
      "100-499": {"tokens": 400, "weight_share": 0.125},
      "500-1999": {"tokens": 500, "weight_share": 0.15625},
      "2000+": {"tokens": 600, "weight_share": 0.1875}},
    "cap": {"types": 12, "target_share": 0.0625, "weight_share_before": 0.5, "weight_share": 0.25},
    "top_tokens": [
      {"id": 7, "piece": "▁ka", "count": 400, "weight": 0.25, "weight_share": 0.125},
      {"id": 10, "piece": "\n", "count": 3, "weight": 0.75, "weight_share": 0.0625}]})");
  EXPECT_EQ(last_line(), expected);
}

TEST_F(JsonlSinkTest, StartLineWithoutEvaluationOrCapHasNulls) {
  StartMetrics start = example_start();
  start.weights.cap.reset();
  start.weights.eval_unseen_share.reset();
  start.weights.eval_rare_share.reset();
  start.weights.top_tokens.clear();
  JsonlSink(path_, std::nullopt).on_start(start);
  const json line = last_line();
  EXPECT_TRUE(line.at("cap").is_null());
  EXPECT_TRUE(line.at("eval_unseen_share").is_null());
  EXPECT_TRUE(line.at("eval_rare_share").is_null());
  EXPECT_EQ(line.at("top_tokens"), json::array());
}

TEST_F(JsonlSinkTest, TrainLineHasEveryField) {
  JsonlSink sink(path_, std::nullopt);
  sink.on_step(example_step(20));
  const json expected = json::parse(R"({"event": "train", "step": 20, "loss": 0.1, "ce": 2.5,
    "ppl": 12.25, "learning_rate": 5e-5, "grad_norm": 1.5, "epoch": 0.75, "num_tokens": 1234567,
    "weight_sum": 98.5, "n_eff": 64.5, "skipped_steps": 3, "tokens_per_second": 4096.5,
    "step_ms": 7.25})");
  EXPECT_EQ(last_line(), expected);

  StepMetrics on_device = example_step(30);
  on_device.peak_memory_gb = 1.25;
  sink.on_step(on_device);
  EXPECT_EQ(last_line()["peak_memory_gb"], 1.25);
}

TEST_F(JsonlSinkTest, EvalLineHasEveryBandAndNullForOneWithoutTargets) {
  JsonlSink(path_, std::nullopt).on_eval(example_eval(20));
  const json line = last_line();
  EXPECT_EQ(line["event"], "eval");
  EXPECT_EQ(line["step"], 20);
  EXPECT_EQ(line["eval_loss"], 3.5);
  EXPECT_EQ(line["eval_ce"], 3.25);
  EXPECT_EQ(line["eval_ppl"], 25.75);
  EXPECT_EQ(line["eval_tokens"], 210);
  EXPECT_EQ(line["eval_accuracy"], 0.375);
  const json& bands = line["eval_bands"];
  ASSERT_EQ(bands.size(), kFrequencyBands.size());
  EXPECT_EQ(bands["0"], json::parse(R"({"tokens": 0, "ce": null, "accuracy": null,
    "predicted_mass": 0.0})"));
  EXPECT_EQ(bands["2000+"], json::parse(R"({"tokens": 60, "ce": 6.5, "accuracy": 0.375,
    "predicted_mass": 0.1875})"));
}

TEST_F(JsonlSinkTest, SkipResumeAndEndLines) {
  JsonlSink sink(path_, std::nullopt);
  sink.on_skip({13, {4, 0, 9}, "the loss is not finite"});
  EXPECT_EQ(last_line(), json::parse(R"({"event": "skip", "step": 13, "rows": [4, 0, 9],
    "reason": "the loss is not finite"})"));
  sink.on_resume(13);
  EXPECT_EQ(last_line(), json::parse(R"({"event": "resume", "step": 13})"));
  sink.on_end(example_summary());
  json expected = json::parse(run_summary_json(example_summary()));
  expected["event"] = "end";
  EXPECT_EQ(last_line(), expected);
}

TEST_F(JsonlSinkTest, NumbersRoundTripAndNonFiniteOnesAreNull) {
  JsonlSink sink(path_, std::nullopt);
  StepMetrics step = example_step(1);
  step.loss = 0.1 + 0.2;
  step.ce = 5e-324;
  step.ppl = std::numeric_limits<double>::infinity();
  step.grad_norm = std::numeric_limits<double>::quiet_NaN();
  step.num_tokens = INT64_MAX;
  sink.on_step(step);
  const json line = last_line();
  EXPECT_EQ(line["loss"].get<double>(), 0.1 + 0.2);
  EXPECT_EQ(line["ce"].get<double>(), 5e-324);
  EXPECT_TRUE(line["ppl"].is_null());
  EXPECT_TRUE(line["grad_norm"].is_null());
  EXPECT_EQ(line["num_tokens"].get<int64_t>(), INT64_MAX);
}

TEST_F(JsonlSinkTest, PieceThatIsNoUtf8StaysValidJson) {
  StartMetrics start = example_start();
  start.weights.top_tokens = {{5, "\xC3", 1, 1.0, 0.5}};
  JsonlSink(path_, std::nullopt).on_start(start);
  EXPECT_EQ(last_line()["top_tokens"][0]["piece"], "\uFFFD");
}

TEST_F(JsonlSinkTest, NewRunBeginsTheFileAnew) {
  write_finished_run();
  JsonlSink sink(path_, std::nullopt);
  EXPECT_EQ(content(), "");
}

TEST_F(JsonlSinkTest, ResumeCutsLaterLinesAndTheEnd) {
  write_finished_run();
  {
    JsonlSink sink(path_, ResumePoint{20});
    sink.on_start(example_start());
    sink.on_resume(20);
    sink.on_step(example_step(30));
  }
  EXPECT_EQ(events(), (std::vector<std::string>{"start", "train 10", "eval 10", "train 20",
                                                "eval 20", "resume 20", "train 30"}));
}

TEST_F(JsonlSinkTest, AnEvaluationThatIsStillToComeIsCut) {
  write_finished_run();
  JsonlSink sink(path_, ResumePoint{.step = 20, .evaluation_due = true});
  EXPECT_EQ(events(), (std::vector<std::string>{"start", "train 10", "eval 10", "train 20"}));
}

TEST_F(JsonlSinkTest, ResumeBeforeTheFirstLineKeepsTheStart) {
  write_finished_run();
  JsonlSink sink(path_, ResumePoint{5});
  EXPECT_EQ(events(), (std::vector<std::string>{"start"}));
}

TEST_F(JsonlSinkTest, ResumeAtTheLastStepDropsOnlyTheEnd) {
  write_finished_run();
  const std::string before = content();
  JsonlSink sink(path_, ResumePoint{30});
  EXPECT_EQ(content(), before.substr(0, before.find("{\"event\":\"end\"")));
}

TEST_F(JsonlSinkTest, ResumeDropsAnIncompleteLastLineAndDamagedOnes) {
  write_finished_run();
  {
    AppendFile file(path_);
    file.append(std::string(7, '\0') + "\n");
    file.append(R"({"event":"train","step":12})" + std::string(7, '\0') + "\n");
    file.append("{\"event\":\"train\",\"step\":12,\"step\":13}\n");
    file.append(R"({"event":"train","step":12)");
  }
  JsonlSink sink(path_, ResumePoint{20});
  EXPECT_EQ(events(),
            (std::vector<std::string>{"start", "train 10", "eval 10", "train 20", "eval 20"}));
}

TEST_F(JsonlSinkTest, ResumeWithoutAFileBeginsOneWithItsStart) {
  JsonlSink sink(path_, ResumePoint{20});
  sink.on_start(example_start());
  sink.on_resume(20);
  EXPECT_EQ(events(), (std::vector<std::string>{"start", "resume 20"}));
}

TEST_F(JsonlSinkTest, FolderInItsPlaceIsAStorageError) {
  std::filesystem::create_directory(path_);
  EXPECT_THROW(JsonlSink(path_, std::nullopt), StorageError);
  EXPECT_THROW(JsonlSink(path_, ResumePoint{3}), StorageError);
}

TEST(RunSummaryJsonTest, HasTheDocumentedNames) {
  const json object = json::parse(run_summary_json(example_summary()));
  EXPECT_EQ(object["status"], "finished");
  EXPECT_EQ(object["exit_code"], 0);
  EXPECT_EQ(object["steps"], 60);
  EXPECT_EQ(object["num_tokens"], 93000);
  EXPECT_EQ(object["wall_seconds"], 1.5);
  EXPECT_EQ(object["final"]["step"], 60);
  EXPECT_EQ(object["final"]["ce"], 2.5);
  EXPECT_EQ(object["final"]["eval_ce"], 3.25);
  EXPECT_EQ(object["best"]["step"], 40);
  EXPECT_EQ(object["best"]["eval_bands"]["1-4"]["tokens"], 10);
  EXPECT_EQ(object["versions"], json::parse(R"({"pdl-train": "0.1.0", "LibTorch": "2.13.0"})"));
  EXPECT_EQ(object["git_hash"], "abc123");
  EXPECT_EQ(object["compute"],
            json::parse(R"({"device": "cpu", "kernels": "AVX2", "num_threads": 2})"));
}

TEST(RunSummaryJsonTest, RunWithoutEvaluationHasNoBest) {
  RunSummary summary = example_summary();
  summary.final_eval.reset();
  summary.best_eval.reset();
  const json object = json::parse(run_summary_json(summary));
  EXPECT_TRUE(object["best"].is_null());
  EXPECT_EQ(object["final"]["loss"], 0.1);
  EXPECT_FALSE(object["final"].contains("eval_ce"));
}

TEST(EvalMetricsJsonTest, IsOneLineWithoutAStep) {
  const std::string text = eval_metrics_json(example_eval(20));
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const json object = json::parse(text);
  EXPECT_FALSE(object.contains("step"));
  EXPECT_EQ(object["eval_ce"], 3.25);
  EXPECT_EQ(object["eval_bands"]["2000+"]["accuracy"], 0.375);
}

}  // namespace
}  // namespace pdl
