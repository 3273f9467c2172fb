#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
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
using Strings = std::vector<std::string>;

class ValueCheckTest : public LoadConfigTest {};

std::string object_with(std::string_view key, const std::string& value) {
  return "{\"" + std::string(key) + "\": " + value + "}";
}

// JSON values that no key of this kind accepts.
Strings wrong_types(KeyKind kind) {
  Strings wrong{"null", "{}", "[1]", R"(["a", null])", R"([["a"]])", R"({"a": "b"})"};
  const auto add = [&](const Strings& more) {
    wrong.insert(wrong.end(), more.begin(), more.end());
  };
  const bool is_list = kind == KeyKind::kStringList || kind == KeyKind::kPathList;
  const bool is_text = kind == KeyKind::kString || kind == KeyKind::kPath;
  if (kind != KeyKind::kBool) add({"true"});
  if (kind != KeyKind::kInteger && kind != KeyKind::kNumber) add({"1"});
  if (kind != KeyKind::kNumber) add({"1.5", "1e30", "1.0e0", "9223372036854775808"});
  if (!is_list) add({R"(["a"])", "[]"});
  if (!is_list && !is_text) add({R"("5")", R"("")", R"("true")"});
  add({"1e400", "-1e400"});
  return wrong;
}

// Values just outside the key's range.
std::vector<double> values_out_of_range(const ConfigKey& key) {
  const KeyRules& rules = key.rules;
  const double step = key.kind == KeyKind::kInteger ? 1 : 1e-6;
  std::vector<double> values;
  if (std::isfinite(rules.min)) {
    values.push_back(rules.open_min ? rules.min : rules.min - step);
    values.push_back(rules.min - 1000);
  }
  if (std::isfinite(rules.max)) {
    values.push_back(rules.open_max ? rules.max : rules.max * (1 + 1e-6) + step);
  }
  return values;
}

std::string number_json(const ConfigKey& key, double value) {
  return key.kind == KeyKind::kInteger ? std::to_string(static_cast<int64_t>(value))
                                       : nlohmann::json(value).dump();
}

// ---------------------------------------------------------------- every key of the table

TEST_F(ValueCheckTest, EveryDefaultIsAcceptedAndRoundTrips) {
  const RunConfig defaults;
  const RunConfig read = load(config_to_json(defaults));
  EXPECT_THAT(changed_keys(defaults, read), IsEmpty());
}

TEST_F(ValueCheckTest, WrongTypeOfAnyKeyIsRefusedByName) {
  for (const ConfigKey& key : config_keys()) {
    for (const std::string& value : wrong_types(key.kind)) {
      if (value.find("true") != std::string::npos &&
          std::ranges::find(key.choices, "true") != key.choices.end())
        continue;
      const std::string message = error_of(object_with(key.name, value));
      EXPECT_THAT(message, HasSubstr(std::string(key.name) + ": ")) << value;
      EXPECT_THAT(message, HasSubstr("; must be ")) << value;
      EXPECT_THAT(message, Not(HasSubstr("\n"))) << value;
      EXPECT_LE(message.size(), 290U) << value;
    }
  }
}

TEST_F(ValueCheckTest, ValueOutOfRangeOfAnyKeyIsRefusedByName) {
  int num_ranges = 0;
  for (const ConfigKey& key : config_keys()) {
    for (const double value : values_out_of_range(key)) {
      const std::string text = number_json(key, value);
      const std::string expected = std::string(key.name) + ": ";
      EXPECT_THAT(error_of(object_with(key.name, text)),
                  AllOf(HasSubstr(expected), HasSubstr(" is out of range; must be ")));
      EXPECT_THAT(flag_error({{std::string(key.name), {text}}}),
                  AllOf(HasSubstr("--" + expected), HasSubstr(" is out of range; must be ")));
      ++num_ranges;
    }
  }
  EXPECT_GT(num_ranges, 60);
}

TEST_F(ValueCheckTest, EndsOfEachRangeAreAccepted) {
  for (const ConfigKey& key : config_keys()) {
    const KeyRules& rules = key.rules;
    std::vector<double> values;
    if (std::isfinite(rules.min) && !rules.open_min) values.push_back(rules.min);
    if (std::isfinite(rules.max) && !rules.open_max) values.push_back(rules.max);
    if (rules.or_value) values.push_back(*rules.or_value);
    for (const double value : values) {
      const std::string message = error_of(object_with(key.name, number_json(key, value)));
      EXPECT_TRUE(message.empty() || message.find(" needs ") != std::string::npos) << message;
    }
  }
}

TEST_F(ValueCheckTest, AnIntegerIsFineForANumber) {
  EXPECT_EQ(load(R"({"pdl_alpha": 3})").weights.pdl_alpha, 3.0);
}

TEST_F(ValueCheckTest, MegabyteOfTextInAnyKeyIsRefusedShortly) {
  for (const ConfigKey& key : config_keys()) {
    if (key.kind < KeyKind::kChoice) continue;
    const std::string big = '"' + std::string(1000000, '(') + '"';
    const std::string message = error_of(object_with(key.name, big));
    EXPECT_THAT(message, HasSubstr(std::string(key.name) + ": \"((("));
    EXPECT_LE(message.size(), 290U);
  }
}

TEST_F(ValueCheckTest, UnknownChoiceNamesTheKnownOnes) {
  EXPECT_THAT(
      error_of(R"({"pdl_unseen": "skip"})"),
      HasSubstr(R"(pdl_unseen: "skip" is not allowed; must be one of "formula", "count_one",)"
                R"( "error")"));
}

// ---------------------------------------------------------------- values with rules of their own

TEST_F(ValueCheckTest, SentinelsAreAcceptedAndWhatLiesBetweenIsNot) {
  EXPECT_EQ(load(R"({"max_steps": -1})").training.max_steps, -1);
  EXPECT_THAT(error_of(R"({"max_steps": 0})"), HasSubstr("0 is out of range; must be -1 or >= 1"));
  EXPECT_THAT(error_of(R"({"max_steps": -2})"), HasSubstr("max_steps: -2 is out of range"));
  EXPECT_EQ(load(R"({"pdl_max_ratio": 0})").weights.pdl_max_ratio, 0);
  EXPECT_THAT(error_of(R"({"pdl_max_ratio": 0.5})"), HasSubstr("0.5 is out of range"));
}

TEST_F(ValueCheckTest, WarmupIsAShareBelowOneAndAnIntegerAbove) {
  EXPECT_EQ(load(R"({"warmup_steps": 0.06})").schedule.warmup_steps, 0.06);
  EXPECT_EQ(load(R"({"warmup_steps": 1})").schedule.warmup_steps, 1);
  EXPECT_EQ(load(R"({"warmup_steps": 200.0})").schedule.warmup_steps, 200);
  EXPECT_THAT(error_of(R"({"warmup_steps": 1.5})"), HasSubstr("1.5 is not an integer"));
}

TEST_F(ValueCheckTest, DeviceIsOneOfTheKnownForms) {
  for (const std::string good : {"auto", "cpu", "cuda", "cuda:0", "cuda:12"}) {
    EXPECT_EQ(load(object_with("device", '"' + good + '"')).device, good);
  }
  for (const std::string bad : {"gpu", "cuda:", "cuda:-1", "cuda:01", "cuda:100", "cuda:256", "CPU",
                                "", "cpu ", "cuda:1x"}) {
    EXPECT_THAT(error_of(object_with("device", '"' + bad + '"')), HasSubstr("device: ")) << bad;
  }
}

TEST_F(ValueCheckTest, FreezeHoldsRegularExpressions) {
  EXPECT_THAT(load(R"({"freeze": ["^wte\\.", "h\\.[0-3]\\."]})").freeze,
              ElementsAre("^wte\\.", "h\\.[0-3]\\."));
  for (const std::string bad : {"(", "[a", "*", "a{99999999999}", "(){2147483647}"}) {
    EXPECT_THAT(error_of(R"({"freeze": ["ok", ")" + bad + R"("]})"),
                AllOf(HasSubstr("is not a regular expression: "), HasSubstr(" at byte ")))
        << bad;
  }
  EXPECT_THAT(error_of(object_with("freeze", '"' + std::string(1000, '(') + '"')),
              HasSubstr("is not a regular expression"));
}

TEST_F(ValueCheckTest, ListsAcceptOneString) {
  EXPECT_THAT(load(R"({"freeze": "wte"})").freeze, ElementsAre("wte"));
  EXPECT_THAT(load(R"({"freeze": ""})").freeze, IsEmpty());
  EXPECT_THAT(error_of(R"({"freeze": ["a", ""]})"), HasSubstr("freeze: holds an empty string"));
}

TEST_F(ValueCheckTest, NulCharactersAreRefused) {
  EXPECT_THAT(error_of(R"({"output_dir": "a\u0000b"})"), HasSubstr("output_dir: "));
}

TEST_F(ValueCheckTest, TheEndingOfADataFileTellsItsKind) {
  for (const std::string key : {"train_files", "eval_files", "pdl_reference_files"}) {
    for (const std::string file : {"a.txt", "a.txt.gz", "a.jsonl", "a.jsonl.zst", "a.npy", "-"}) {
      EXPECT_NO_THROW(load(object_with(key, "[\"b.txt\", \"" + file + "\"]"))) << file;
    }
    for (const std::string file : {"a.csv", "a", "a.npy.gz", "a.TXT", "-.", "txt"}) {
      EXPECT_THAT(error_of(object_with(key, "[\"b.txt\", \"" + file + "\"]")),
                  HasSubstr(file + "\" is not allowed; must end in .txt, .txt.gz,"))
          << file;
    }
  }
  EXPECT_THAT(load(R"({"train_files": "-"})").train_files, ElementsAre("-"));
  write("data/a.txt", "x");
  write("data/b.csv", "x");
  EXPECT_THAT(error_of(R"({"train_files": "data/*"})"), HasSubstr("b.csv\" is not allowed"));
}

TEST_F(ValueCheckTest, FlagMayReplaceAValueOfALaterVersion) {
  EXPECT_EQ(load(R"({"max_minutes": 5})", {{"max_minutes", {"0"}}}).training.max_minutes, 0);
}

}  // namespace
}  // namespace pdl
