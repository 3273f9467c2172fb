#include "pdl/config/load_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "load_config_fixture.h"
#include "pdl/base/error.h"
#include "pdl/config/config_table.h"

namespace pdl {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using Strings = std::vector<std::string>;

// A config with all that training needs.
constexpr std::string_view kMinimal =
    R"({"model_path": "m.pt", "tokenizer_path": "t.model", "train_files": "a.txt",)"
    R"( "output_dir": "out"})";
const std::vector<std::string_view> kTraining{"model_path", "tokenizer_path", "train_files",
                                              "output_dir"};

std::string object_with(std::string_view key, const std::string& value) {
  return "{\"" + std::string(key) + "\": " + value + "}";
}

// ---------------------------------------------------------------- the file's syntax

TEST_F(LoadConfigTest, CommentsByteOrderMarkAndCrlfAreAllowed) {
  const RunConfig config = load(
      "\xef\xbb\xbf// a comment\r\n{\r\n  /* several\r\n lines */ \"seed\": 7, // end\r\n"
      "  \"freeze\": [/* in a list */ \"//no comment\"]\r\n}\r\n// after");
  EXPECT_EQ(config.training.seed, 7);
  EXPECT_THAT(config.freeze, ElementsAre("//no comment"));
}

TEST_F(LoadConfigTest, SyntaxErrorsNameFileLineAndColumn) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "line 1, column 1: "},
      {"{\n  \"seed\": 1,\n}", "line 3, column 1: "},
      {"{\"seed\": 1 \"x\": 2}", "line 1, column 14: "},
      {"{\"seed\": NaN}", "line 1, column 10: seed: "},
      {"{\"seed\": Infinity}", "line 1, column 10: seed: "},
      {"{\"seed\": 01}", "line 1, column 11: "},
      {"{'seed': 1}", "line 1, column 2: "},
      {"{\"seed\": 1} x", "line 1, column 13: "},
      {"{\"seed\": 1 /* open", "line 1, column 19: "},
      {"{\"freeze\": \"\xff\"}", "line 1, column 13: freeze: "},
      {"{\"freeze\": \"\\ud800\"}", "line 1, column 19: freeze: "},
      {std::string("{\"seed\": 1}\0 x", 14), "line 1, column 12: a NUL byte"},
      {"{\"seed\": 1e9999}", "line 1, column 15: seed: 1e9999 is too large"},
  };
  for (const auto& [text, expected] : cases) {
    const std::string message = error_of(text);
    EXPECT_THAT(message, StartsWith((folder_ / "run.json").string() + ": " + expected)) << text;
    EXPECT_LE(message.size(), 290U);
  }
}

TEST_F(LoadConfigTest, OnlyAnObjectIsAccepted) {
  for (const std::string text : {"[]", "5", "\"x\"", "null", "true", "1.5"}) {
    EXPECT_THAT(error_of(text), HasSubstr("must hold one JSON object")) << text;
  }
}

TEST_F(LoadConfigTest, DeepNestingIsRefusedWithoutRecursion) {
  const std::string deep(100000, '[');
  EXPECT_THAT(error_of(deep), HasSubstr("must hold one JSON object"));
  EXPECT_THAT(error_of("{\"seed\": " + deep), HasSubstr("seed: is nested deeper than 64 levels"));
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  EXPECT_THAT(error_of(objects), HasSubstr("a: is nested deeper than 64 levels"));
}

TEST_F(LoadConfigTest, FileIsAtMostOneMebibyte) {
  const std::string padding((1U << 20) - 2, ' ');
  EXPECT_EQ(error_of("{}" + padding), "");
  EXPECT_THAT(error_of("{}" + padding + " "), HasSubstr("config file"));
  EXPECT_THROW(load_config(folder_ / "missing.json", {}, {}), ConfigError);
  EXPECT_THROW(load_config(folder_, {}, {}), ConfigError);
}

TEST_F(LoadConfigTest, DuplicateKeysAreRefused) {
  EXPECT_THAT(error_of(R"({"seed": 1, "s\u0065ed": 1})"), HasSubstr("seed: 1 is a second value"));
  EXPECT_THAT(error_of(R"({"foo": 1, "foo": 2})"),
              AllOf(HasSubstr("foo: unknown key"), HasSubstr("foo: 2 is a second value")));
}

TEST_F(LoadConfigTest, UnknownKeyNamesTheNearestKnownOne) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"pdl_alhpa", "pdl_alpha"},
      {"learning_rte", "learning_rate"},
      {"Seed", "seed"},
      {"max-length", "max_length"},
      {"batch_size", "per_device_train_batch_size"},
      {"epochs", "num_train_epochs"},
      {"warmup_ratio", "warmup_steps"},
  };
  for (const auto& [unknown, nearest] : cases) {
    EXPECT_THAT(error_of(object_with(unknown, "1")),
                HasSubstr(unknown + ": unknown key; did you mean \"" + nearest + "\"?"));
  }
  EXPECT_THAT(error_of(R"({"qqqqqqqq": 1})"), testing::EndsWith("qqqqqqqq: unknown key"));
}

TEST_F(LoadConfigTest, HostileKeysStayShortAndEscaped) {
  EXPECT_LE(error_of(object_with(std::string(500000, 'k'), "1")).size(), 290U);
  EXPECT_THAT(error_of(R"({"a\nerror: b\u001b[31m": 1})"),
              AllOf(Not(HasSubstr("\n")), Not(HasSubstr("\x1b"))));
  std::string many = "{";
  for (int i = 0; i < 20000; ++i) many += "\"k" + std::to_string(i) + "\": 1, ";
  const std::string message = error_of(many + "\"pdl_alpha\": -1}");
  EXPECT_THAT(message, HasSubstr(": 20001 problems\n"));
  EXPECT_LE(message.size(), 20000U);
}

TEST_F(LoadConfigTest, TruncatedOrDamagedTextNeverDoesWorseThanConfigError) {
  const std::string sample =
      "\xef\xbb\xbf{ // c\n \"model_path\": \"m\\u00e9\\ud83d\\ude00.pt\", /* c */\n"
      " \"freeze\": [\"a|b\", \"c\"], \"pdl_alpha\": -1.5e-3, \"seed\": 3, \"shuffle\": false}";
  for (size_t length = 0; length < sample.size(); ++length) {
    EXPECT_NE(error_of(sample.substr(0, length)), "") << length;
  }
  for (size_t at = 0; at < sample.size(); ++at) {
    for (const char damage : {'\0', '"', '{', ']', '\\', '9', '\xff', '/', '-'}) {
      std::string damaged = sample;
      damaged[at] = damage;
      error_of(damaged);  // anything but ConfigError ends the test
    }
  }
}

// ---------------------------------------------------------------- messages

TEST_F(LoadConfigTest, OneProblemIsOneLine) {
  EXPECT_EQ(error_of(R"({"pdl_alpha": -1})"),
            (folder_ / "run.json").string() + ": pdl_alpha: -1 is out of range; must be >= 0");
  EXPECT_EQ(flag_error({{"pdl_alpha", {"-1"}}}), "--pdl_alpha: -1 is out of range; must be >= 0");
}

TEST_F(LoadConfigTest, FileIsNamedOnlyForItsOwnProblems) {
  const FlagSetting alpha{"pdl_alpha", {"-1"}};
  const FlagSetting seed{"seed", {"x"}};
  const std::string file = (folder_ / "run.json").string();
  EXPECT_THAT(error_of("{}", {alpha}), StartsWith("--pdl_alpha: -1 is out of range"));
  EXPECT_THAT(error_of("{}", {alpha, seed}), StartsWith("flags: 2 problems\n  --pdl_alpha: "));
  EXPECT_THAT(error_of(R"({"pdl_epsilon": -1})", {alpha}), StartsWith(file + ": 2 problems\n"));
  EXPECT_THAT(error_of(R"({"--seed": 1})"), StartsWith(file + ": --seed: unknown key"));
}

TEST_F(LoadConfigTest, LongPathOfTheFileIsShortened) {
  const std::string deep(200, 'd');
  const std::filesystem::path file = write(deep + "/run.json", R"({"pdl_alpha": -1})");
  try {
    load_config(file, {}, {});
    FAIL() << "no error";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(), "…/run.json: pdl_alpha: -1 is out of range; must be >= 0");
  }
}

TEST_F(LoadConfigTest, AllProblemsAreReportedTogether) {
  const std::string message =
      error_of(R"({"pdl_alhpa": 1, "max_length": 1.5, "precision": "fp8", "train_files": "*.none",)"
               R"( "model_path": "", "learning_rate": 1e400, "eval_steps": 5})",
               {{"seed", {"x"}}, {"packing", {"yes"}}}, kTraining);
  EXPECT_THAT(message, StartsWith((folder_ / "run.json").string() + ": 11 problems\n  "));
  for (const std::string expected :
       {"pdl_alhpa: unknown", "max_length: 1.5", "precision: \"fp8\"", "train_files: \"*.none\"",
        "model_path: is missing", "learning_rate: 1e400", "eval_steps: 5 needs eval_files",
        "--seed: \"x\"", "--packing: \"yes\"", "tokenizer_path: is missing",
        "output_dir: is missing"}) {
    EXPECT_THAT(message, HasSubstr("\n  " + expected));
  }
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 11);
}

TEST_F(LoadConfigTest, ProblemsBeforeASyntaxErrorAreReportedWithIt) {
  EXPECT_THAT(error_of("{\"pdl_alpha\": -1,\n oops", {}, kTraining),
              AllOf(HasSubstr(": 2 problems"), HasSubstr("pdl_alpha: -1"), HasSubstr("line 2"),
                    Not(HasSubstr("missing"))));
}

// ---------------------------------------------------------------- required keys and relations

TEST_F(LoadConfigTest, RequiredKeysMustBeThereAndNotEmpty) {
  EXPECT_EQ(error_of(kMinimal, {}, kTraining), "");
  EXPECT_THAT(error_of("{}", {}, {"model_path"}), HasSubstr("model_path: is missing; give it in"));
  EXPECT_THAT(flag_error({}, {"model_path"}),
              HasSubstr("give --config FILE with it, or --model_path"));
  EXPECT_THAT(error_of(R"({"train_files": []})", {}, {"train_files"}), HasSubstr("is missing"));
  EXPECT_EQ(error_of("{}", {{"model_path", {"m.pt"}}}, {"model_path"}), "");
  EXPECT_EQ(error_of("{}"), "");
}

TEST_F(LoadConfigTest, BadValueIsNotAlsoMissing) {
  EXPECT_THAT(error_of(R"({"model_path": 5})", {}, {"model_path"}), Not(HasSubstr("missing")));
}

TEST_F(LoadConfigTest, EarlyStoppingNeedsEvaluationsInTraining) {
  const FlagSetting patience{"early_stopping_patience", {"3"}};
  EXPECT_THAT(error_of(kMinimal, {patience}, kTraining),
              AllOf(HasSubstr("--early_stopping_patience: 3 needs eval_files"),
                    HasSubstr("--early_stopping_patience: 3 needs eval_steps")));
  EXPECT_EQ(
      error_of(kMinimal, {patience, {"eval_steps", {"5"}}, {"eval_files", {"e.txt"}}}, kTraining),
      "");
  EXPECT_EQ(error_of(kMinimal, {patience}, {"model_path"}), "");
}

TEST_F(LoadConfigTest, EvalStepsNeedEvalFiles) {
  EXPECT_THAT(error_of(R"({"eval_steps": 5})"), HasSubstr("eval_steps: 5 needs eval_files"));
  EXPECT_EQ(error_of(R"({"eval_steps": 5, "eval_files": "e.txt"})"), "");
  // A bad list is one problem, not two.
  EXPECT_THAT(error_of(R"({"eval_steps": 5, "eval_files": 1})"), Not(HasSubstr("needs")));
}

TEST_F(LoadConfigTest, FrequencyTableExcludesReferenceFiles) {
  EXPECT_THAT(error_of(R"({"pdl_frequency_table": "f.json", "pdl_reference_files": "r.txt"})"),
              HasSubstr("excludes pdl_reference_files"));
}

// ---------------------------------------------------------------- flags

TEST_F(LoadConfigTest, FlagsBeatTheFile) {
  const RunConfig config = load(
      R"({"seed": 1, "packing": true, "freeze": ["a"], "learning_rate": 1})",
      {{"seed", {"2"}}, {"packing", {"false"}}, {"freeze", {"b"}}, {"learning_rate", {"1e-3"}}});
  EXPECT_EQ(config.training.seed, 2);
  EXPECT_FALSE(config.sequences.packing);
  EXPECT_THAT(config.freeze, ElementsAre("b"));
  EXPECT_EQ(config.schedule.learning_rate, 1e-3);
}

TEST_F(LoadConfigTest, FlagDoesNotExcuseABadValueInTheFile) {
  EXPECT_THAT(error_of(R"({"seed": -1})", {{"seed", {"1"}}}), HasSubstr("seed: -1"));
}

TEST_F(LoadConfigTest, ListFlagsAddUpAndOneEmptyValueClears) {
  EXPECT_THAT(load("{}", {{"freeze", {"a", "b"}}, {"freeze", {"c"}}}).freeze,
              ElementsAre("a", "b", "c"));
  EXPECT_THAT(load(R"({"freeze": "a"})", {{"freeze", {""}}}).freeze, IsEmpty());
  EXPECT_THAT(flag_error({{"freeze", {"a", ""}}}), HasSubstr("holds an empty string"));
}

TEST_F(LoadConfigTest, ScalarFlagsAreGivenOnce) {
  EXPECT_THAT(flag_error({{"seed", {"1"}}, {"seed", {"1"}}}), HasSubstr("--seed: is given 2"));
}

TEST_F(LoadConfigTest, FlagValuesAreParsedStrictly) {
  const std::vector<std::pair<std::string, Strings>> cases = {
      {"seed", {"", " 1", "1 ", "+1", "1.0", "1e3", "0x10", "9223372036854775808", "one"}},
      {"learning_rate", {"", "1e", "nan", "inf", "-inf", "1e400", "0x1p3", "1,5", " 1", "1f"}},
      {"packing", {"", "True", "1", "0", "yes", "false "}},
      {"pdl_unseen", {"", "Formula"}},
      {"model_path", {"\xff.pt"}},
  };
  for (const auto& [key, values] : cases) {
    for (const std::string& value : values) {
      EXPECT_THAT(flag_error({{key, {value}}}), HasSubstr("--" + key + ": ")) << value;
    }
  }
  EXPECT_EQ(load_config({}, {{"max_steps", {"-1"}}}, {}).training.max_steps, -1);
}

}  // namespace
}  // namespace pdl
