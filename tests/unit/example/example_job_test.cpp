#include "pdl/example/example_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class ExampleJobTest : public testing::Test {
 protected:
  static std::map<std::string, std::string> files_in(const fs::path& folder) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(folder)) {
      files[entry.path().filename().string()] = file_content(entry.path());
    }
    return files;
  }

  ExampleJobOptions tiny(const std::string& name) const {
    return {.folder = folder_ / name, .preset = ExamplePreset::kTiny};
  }

  TempFolder folder_;
};

TEST_F(ExampleJobTest, WritesTheJobAndTheCommandThatRunsIt) {
  const fs::path config = write_example_job(tiny("job"));
  EXPECT_EQ(config, folder_ / "job" / "run.json");
  std::map<std::string, std::string> files = files_in(folder_ / "job");
  std::vector<std::string> names;
  for (const auto& [name, text] : files) {
    names.push_back(name);
  }
  EXPECT_THAT(names, testing::ElementsAre("eval.txt", "model.pt", "run.json", "tokenizer.model",
                                          "train.txt"));
  EXPECT_THAT(files["run.json"],
              testing::StartsWith("// pdl-train --config " + config.string() + "\n"));
  const json settings = json::parse(files["run.json"], nullptr, true, /*ignore_comments=*/true);
  EXPECT_EQ(settings["train_files"], "train.txt");
  EXPECT_EQ(settings["eval_files"], "eval.txt");
  EXPECT_EQ(settings["tokenizer_path"], "tokenizer.model");
  EXPECT_EQ(settings["model_path"], "model.pt");
  EXPECT_EQ(settings["output_dir"], "run");
  EXPECT_EQ(settings["seed"], 42);
}

TEST_F(ExampleJobTest, EvaluationTextIsOtherText) {
  write_example_job(tiny("job"));
  const std::string train = file_content(folder_ / "job" / "train.txt");
  const std::string eval = file_content(folder_ / "job" / "eval.txt");
  EXPECT_EQ(train.find(eval.substr(0, 200)), std::string::npos);
}

TEST_F(ExampleJobTest, SmallPresetHasAMegabyteOfText) {
  write_example_job({.folder = folder_ / "job"});
  EXPECT_GE(fs::file_size(folder_ / "job" / "train.txt"), 1'000'000U);
}

TEST_F(ExampleJobTest, SeedDecidesEveryFile) {
  write_example_job(tiny("one"));
  write_example_job(tiny("same"));
  ExampleJobOptions options = tiny("other");
  options.seed = 7;
  write_example_job(options);
  std::map<std::string, std::string> one = files_in(folder_ / "one");
  std::map<std::string, std::string> same = files_in(folder_ / "same");
  std::map<std::string, std::string> other = files_in(folder_ / "other");
  for (const char* name : {"train.txt", "eval.txt", "tokenizer.model", "model.pt"}) {
    EXPECT_TRUE(one[name] == same[name]) << name;
    EXPECT_FALSE(one[name] == other[name]) << name;
  }
  EXPECT_THAT(other["run.json"], testing::HasSubstr("\"seed\": 7\n"));
}

TEST_F(ExampleJobTest, EmptyFolderIsFilledAndAnyOtherRefused) {
  fs::create_directory(folder_ / "empty");
  EXPECT_NO_THROW(write_example_job(tiny("empty")));
  EXPECT_THROW(write_example_job(tiny("empty")), ConfigError);
  write_file_durably(folder_ / "file", "x");
  EXPECT_THROW(write_example_job(tiny("file")), ConfigError);
  EXPECT_EQ(file_content(folder_ / "file"), "x");
  EXPECT_THROW(write_example_job({}), ConfigError);
}

TEST_F(ExampleJobTest, WhatAKilledInitHasLeftDoesNotHinder) {
  write_example_job(tiny("job"));
  const std::map<std::string, std::string> expected = files_in(folder_ / "job");
  const auto without_first_line = [](std::map<std::string, std::string> files) {
    files["run.json"].erase(0, files["run.json"].find('\n'));
    return files;
  };
  // Beside a new folder.
  fs::create_directories(folder_ / ".tmp-init-new");
  write_file_durably(folder_ / ".tmp-init-new" / ".tmp-train.txt-1-0", "tr");
  write_example_job(tiny("new/"));
  EXPECT_EQ(without_first_line(files_in(folder_ / "new")), without_first_line(expected));
  // In one that was empty.
  fs::create_directories(folder_ / "old" / ".tmp-init");
  write_file_durably(folder_ / "old" / ".tmp-init" / "model.pt", "half");
  write_file_durably(folder_ / "old" / "train.txt", "whole");
  write_example_job(tiny("old"));
  EXPECT_EQ(without_first_line(files_in(folder_ / "old")), without_first_line(expected));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 3);
  // A file of somebody else, with the leftover and without.
  for (const bool is_unfinished : {true, false}) {
    fs::remove_all(folder_ / "old");
    fs::create_directories(folder_ / "old" / (is_unfinished ? ".tmp-init" : ""));
    write_file_durably(folder_ / "old" / (is_unfinished ? "other.txt" : "train.txt"), "mine");
    EXPECT_THROW(write_example_job(tiny("old")), ConfigError);
  }
}

TEST_F(ExampleJobTest, AFailureLeavesNothing) {
  fs::create_symlink("nowhere", folder_ / "dangling");  // which no folder can replace
  EXPECT_THROW(write_example_job(tiny("dangling")), StorageError);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1);
}

TEST_F(ExampleJobTest, FolderBelowAFileIsAStorageError) {
  write_file_durably(folder_ / "file", "x");
  EXPECT_THROW(write_example_job(tiny("file/job")), StorageError);
}

TEST_F(ExampleJobTest, FirstLineStaysACommentWhateverTheFolderIsCalled) {
  for (const std::string name : {"two words", "line\nfeed", "not \xC3( UTF-8"}) {
    const std::string text = file_content(write_example_job(tiny(name)));
    EXPECT_TRUE(json::parse(text, nullptr, false, true).is_object()) << name;
  }
  EXPECT_THAT(
      file_content(folder_ / "two words" / "run.json"),
      testing::StartsWith("// pdl-train --config '" + folder_.path().string() + "/two words/"));
}

TEST(ShellWordTest, QuotesOnlyWhereAShellNeedsIt) {
  EXPECT_EQ(shell_word("demo/run-1.json"), "demo/run-1.json");
  EXPECT_EQ(shell_word("two words"), "'two words'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word("$HOME"), "'$HOME'");
  EXPECT_EQ(shell_word(""), "''");
}

}  // namespace
}  // namespace pdl
