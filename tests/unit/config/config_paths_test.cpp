#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "load_config_fixture.h"
#include "pdl/base/error.h"
#include "pdl/config/config_table.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ConfigPathsTest : public LoadConfigTest {};
class ConfigToJsonTest : public LoadConfigTest {};

// ---------------------------------------------------------------- paths

TEST_F(ConfigPathsTest, PathsOfTheFileStartAtItsFolderAndThoseOfFlagsAtTheWorkingDirectory) {
  const fs::path file =
      write("jobs/run.json", R"({"model_path": "../m.pt", "output_dir": "./out/", "train_files":)"
                             R"( ["a.txt", "/data//b.txt"], "resume_from_checkpoint": "c/d/.."})");
  const RunConfig config = load_config(file, {{"tokenizer_path", {"x/../t.model"}}}, {});
  EXPECT_EQ(config.model_path, folder_ / "m.pt");
  EXPECT_EQ(config.output_dir.string(), (folder_ / "jobs/out").string());
  EXPECT_THAT(config.train_files, ElementsAre((folder_ / "jobs/a.txt").string(), "/data/b.txt"));
  EXPECT_EQ(config.checkpoint.resume_from_checkpoint, (folder_ / "jobs/c").string());
  EXPECT_EQ(config.tokenizer_path, fs::current_path() / "t.model");
  EXPECT_EQ(config.pdl_frequency_table, "");
}

TEST_F(ConfigPathsTest, ResumeWordsAreNotPaths) {
  EXPECT_EQ(load(R"({"resume_from_checkpoint": "never"})").checkpoint.resume_from_checkpoint,
            "never");
  EXPECT_EQ(load("{}").checkpoint.resume_from_checkpoint, "auto");
  EXPECT_THAT(error_of(R"({"resume_from_checkpoint": ""})"), HasSubstr("\"auto\", \"never\" or"));
}

TEST_F(ConfigPathsTest, GlobsAreExpandedAndSortedByByteValue) {
  for (const std::string name : {"b.txt", "a.txt", "B.txt", "\u00e9.txt", "c.jsonl", ".d.txt"}) {
    write("data/" + name, "x");
  }
  const auto in_data = [&](const std::string& name) { return (folder_ / "data" / name).string(); };
  EXPECT_THAT(
      load(R"({"train_files": "data/*.txt"})").train_files,
      ElementsAre(in_data("B.txt"), in_data("a.txt"), in_data("b.txt"), in_data("\u00e9.txt")));
  // Sorted within a glob, in the order given between entries.
  EXPECT_THAT(load(R"({"train_files": ["data/c.json?", "data/../data/[ab].txt"]})").train_files,
              ElementsAre(in_data("c.jsonl"), in_data("a.txt"), in_data("b.txt")));
}

TEST_F(ConfigPathsTest, GlobWithoutAMatchIsAProblemButAMissingFileIsNot) {
  EXPECT_THAT(error_of(R"({"train_files": "*.txt"})"),
              HasSubstr("train_files: \"*.txt\" matches no file"));
  EXPECT_THAT(error_of(R"({"train_files": "missing/*.txt"})"), HasSubstr("train_files: "));
  EXPECT_EQ(error_of(R"({"train_files": "missing.txt"})"), "");
  // The name of the folder is not a pattern.
  write("run[1]/a.txt", "x");
  EXPECT_THAT(
      load_config(write("run[1]/run.json", R"({"train_files": "*.txt"})"), {}, {}).train_files,
      ElementsAre((folder_ / "run[1]/a.txt").string()));
}

TEST_F(ConfigPathsTest, ExistingFileWithPatternCharactersIsItself) {
  write("a[1].txt", "x");
  write("a1.txt", "x");
  EXPECT_THAT(load(R"({"train_files": "a[1].txt"})").train_files,
              ElementsAre((folder_ / "a[1].txt").string()));
}

// ---------------------------------------------------------------- writing and comparing

// Makes a config in which every key differs from its default, if it may.
RunConfig unusual_config() {
  RunConfig config;
  config.model_path = "/m/\u00e9 \"q\".pt";
  config.train_files = {"/d/a.txt", "/d/[b]*.txt"};
  config.eval_files = {"/d/e.txt"};
  config.weights.pdl_alpha = 0.1;
  config.weights.pdl_epsilon = 4.9406564584124654e-324;
  config.schedule.learning_rate = 1.0 / 3;
  config.schedule.lr_scheduler_type = ScheduleType::kCosine;
  config.schedule.warmup_steps = 9007199254740992;
  config.training.seed = INT64_MAX;
  config.training.max_steps = 12;
  config.freeze = {"a\\.b", "c"};
  config.sequences.packing = false;
  return config;
}

TEST_F(ConfigToJsonTest, WrittenConfigReadsBackEqual) {
  const RunConfig config = unusual_config();
  const std::string text = config_to_json(config);
  EXPECT_EQ(nlohmann::json::parse(text).size(), config_keys().size());
  EXPECT_THAT(changed_keys(config, load_config_text(text, "config.json")), IsEmpty());
}

TEST_F(ConfigToJsonTest, ResolvedConfigGivesTheSameRunAgain) {
  write("a1.txt", "x");
  write("a[1].txt", "x");
  const RunConfig config =
      load(R"({"train_files": "a*.txt", "output_dir": "out", "learning_rate": 3e-4})");
  const fs::path again = write("elsewhere/config.json", config_to_json(config));
  EXPECT_THAT(changed_keys(config, load_config(again, {}, {})), IsEmpty());
}

TEST_F(ConfigToJsonTest, StoredTextIsCheckedLikeAFile) {
  EXPECT_THROW(load_config_text("{\"seed\": -1}", "stored"), ConfigError);
  EXPECT_THROW(load_config_text("{", "stored"), ConfigError);
  EXPECT_THROW(load_config_text("", "stored"), ConfigError);
}

TEST_F(ConfigToJsonTest, ChangedKeysNamesEachDifferenceOnce) {
  EXPECT_THAT(changed_keys(RunConfig{}, unusual_config()),
              ElementsAre("model_path", "freeze", "train_files", "eval_files", "packing",
                          "pdl_alpha", "pdl_epsilon", "max_steps", "seed", "learning_rate",
                          "lr_scheduler_type", "warmup_steps"));
}

TEST_F(ConfigToJsonTest, OnlyWhatLeavesTheCurveAloneMayChangeOnResume) {
  std::vector<std::string_view> changeable;
  for (const ConfigKey& key : config_keys()) {
    if (may_change_on_resume(key.name)) changeable.push_back(key.name);
  }
  EXPECT_THAT(
      changeable,
      testing::UnorderedElementsAre(
          "max_steps", "num_train_epochs", "save_steps", "save_total_limit", "logging_steps",
          "output_dir", "max_minutes", "num_threads", "resume_from_checkpoint", "tensorboard",
          "sample_prompts", "sample_max_new_tokens", "sample_temperature", "sample_top_p",
          "model_path", "tokenizer_path", "adapter_path", "train_files", "eval_files",
          "pdl_reference_files", "pdl_frequency_table", "chat_date"));
  EXPECT_FALSE(may_change_on_resume("no_such_key"));
}

}  // namespace
}  // namespace pdl
