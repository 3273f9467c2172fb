#include "pdl/config/config_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace pdl {
namespace {

using Strings = std::vector<std::string>;

// All keys of the documentation.
constexpr std::string_view kDocumentedKeys[] = {
    "eval_bias_grid",
    "sample_prompts",
    "sample_max_new_tokens",
    "sample_temperature",
    "sample_top_p",
    "model_path",
    "tokenizer_path",
    "output_dir",
    "train_files",
    "eval_files",
    "text_document",
    "text_field",
    "prompt_field",
    "completion_field",
    "messages_field",
    "chat_template",
    "chat_date",
    "completion_only_loss",
    "add_bos",
    "add_eos",
    "max_length",
    "packing",
    "shuffle",
    "pdl_alpha",
    "pdl_epsilon",
    "pdl_frequency",
    "pdl_reference_files",
    "pdl_frequency_table",
    "pdl_unseen",
    "pdl_special_tokens",
    "pdl_max_ratio",
    "pdl_alpha_warmup_steps",
    "pdl_max_unseen_share",
    "isolate_documents",
    "gradient_checkpointing",
    "lora_rank",
    "lora_alpha",
    "lora_dropout",
    "lora_target_modules",
    "adapter_path",
    "max_steps",
    "num_train_epochs",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "per_device_eval_batch_size",
    "learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "min_lr_ratio",
    "weight_decay",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "max_grad_norm",
    "optim",
    "momentum",
    "logits_chunk_rows",
    "freeze",
    "precision",
    "device",
    "num_threads",
    "seed",
    "eval_steps",
    "eval_max_batches",
    "early_stopping_patience",
    "metric_for_best_model",
    "save_steps",
    "save_total_limit",
    "resume_from_checkpoint",
    "logging_steps",
    "tensorboard",
    "max_minutes",
    "max_bad_steps",
    "spike_threshold",
    "spike_action",
};

// Returns a value of the key's kind that is not the default.
ConfigValue other_value(const ConfigKey& key) {
  const ConfigValue value = default_value(key);
  switch (key.kind) {
    case KeyKind::kBool:
      return !std::get<bool>(value);
    case KeyKind::kInteger:
      return std::get<int64_t>(value) + 1;
    case KeyKind::kNumber:
      return std::get<double>(value) + 0.125;
    case KeyKind::kChoice:
      return std::string(std::get<std::string>(value) == key.choices.front() ? key.choices.back()
                                                                             : key.choices.front());
    case KeyKind::kString:
    case KeyKind::kPath:
      return std::get<std::string>(value) + "x";
    case KeyKind::kStringList:
    case KeyKind::kPathList:
      return Strings{"x", "y"};
  }
  return value;
}

TEST(ConfigTableTest, HasEveryDocumentedKeyOnceAndNoOther) {
  std::vector<std::string_view> names;
  for (const ConfigKey& key : config_keys()) names.push_back(key.name);
  EXPECT_THAT(names, testing::UnorderedElementsAreArray(kDocumentedKeys));
}

TEST(ConfigTableTest, SetChangesWhatGetReadsAndNothingElse) {
  for (const ConfigKey& key : config_keys()) {
    SCOPED_TRACE(key.name);
    RunConfig config;
    const ConfigValue value = other_value(key);
    key.set(config, value);
    EXPECT_EQ(key.get(config), value);
    for (const ConfigKey& other : config_keys()) {
      if (other.name != key.name) {
        EXPECT_EQ(other.get(config), default_value(other)) << other.name;
      }
    }
  }
}

TEST(ConfigTableTest, EveryChoiceRoundTrips) {
  for (const ConfigKey& key : config_keys()) {
    EXPECT_EQ(key.kind == KeyKind::kChoice, !key.choices.empty()) << key.name;
    for (const std::string_view choice : key.choices) {
      RunConfig config;
      key.set(config, std::string(choice));
      EXPECT_EQ(key.get(config), ConfigValue(std::string(choice))) << key.name;
    }
  }
}

TEST(ConfigTableTest, ChoicesFollowTheirEnums) {
  RunConfig config;
  find_config_key("lr_scheduler_type")->set(config, std::string("warmup_stable_decay"));
  find_config_key("metric_for_best_model")->set(config, std::string("eval_accuracy"));
  find_config_key("pdl_unseen")->set(config, std::string("count_one"));
  EXPECT_EQ(config.schedule.lr_scheduler_type, ScheduleType::kWarmupStableDecay);
  EXPECT_EQ(config.evaluation.metric_for_best_model, BestMetric::kEvalAccuracy);
  EXPECT_EQ(config.weights.pdl_unseen, UnseenPolicy::kCountOne);
}

TEST(ConfigTableTest, UncheckedValuesThrowInsteadOfBeingStored) {
  RunConfig config;
  EXPECT_THROW(find_config_key("precision")->set(config, std::string("fp64")), std::logic_error);
  EXPECT_THROW(find_config_key("seed")->set(config, 1.0), std::bad_variant_access);
}

TEST(ConfigTableTest, HelpIsOneLineThatFitsATerminal) {
  for (const ConfigKey& key : config_keys()) {
    EXPECT_FALSE(key.help.empty()) << key.name;
    EXPECT_EQ(key.help.find('\n'), std::string_view::npos) << key.name;
    EXPECT_LE(key.help.size(), 80U) << key.name;
  }
}

TEST(ConfigTableTest, GroupsFollowOneAnotherUnderTitlesOfTheirOwn) {
  std::vector<KeyGroup> groups;
  std::set<std::string_view> titles;
  for (const ConfigKey& key : config_keys()) {
    if (groups.empty() || groups.back() != key.group) {
      groups.push_back(key.group);
      EXPECT_TRUE(titles.insert(group_title(key.group)).second) << key.name;
    }
  }
  EXPECT_THAT(groups,
              testing::ElementsAre(KeyGroup::kModel, KeyGroup::kData, KeyGroup::kPowerLawDecay,
                                   KeyGroup::kBatches, KeyGroup::kOptimizer, KeyGroup::kDevice,
                                   KeyGroup::kEvaluation, KeyGroup::kOutput, KeyGroup::kSafety));
  EXPECT_FALSE(titles.contains(""));
}

TEST(ConfigTableTest, DetailsAreSentencesThatFitATableCell) {
  for (const ConfigKey& key : config_keys()) {
    if (key.details.empty()) continue;
    EXPECT_TRUE(key.details.ends_with('.')) << key.name;
    EXPECT_FALSE(key.help.ends_with('.')) << key.name;
    EXPECT_EQ(key.details.find('\n'), std::string_view::npos) << key.name;
  }
}

TEST(ConfigTableTest, UnknownKeyIsNotFound) {
  EXPECT_EQ(find_config_key("pdl_alhpa"), nullptr);
  EXPECT_EQ(find_config_key(""), nullptr);
}

TEST(ConfigTableTest, RelationsNameKeysOfTheTable) {
  ASSERT_FALSE(key_relations().empty());
  for (const KeyRelation& relation : key_relations()) {
    EXPECT_NE(find_config_key(relation.key), nullptr) << relation.key;
    EXPECT_NE(find_config_key(relation.other), nullptr) << relation.other;
  }
}

TEST(ConfigTableTest, IsSetTellsOffFromOn) {
  for (const ConfigValue& off : {ConfigValue(false), ConfigValue(int64_t{0}), ConfigValue(0.0),
                                 ConfigValue(""), ConfigValue(Strings{})}) {
    EXPECT_FALSE(is_set(off));
  }
  for (const ConfigValue& on : {ConfigValue(true), ConfigValue(int64_t{1}), ConfigValue(0.5),
                                ConfigValue("x"), ConfigValue(Strings{"x"})}) {
    EXPECT_TRUE(is_set(on));
  }
}

TEST(ConfigTableTest, ShownValuesAreExactShortAndHarmless) {
  EXPECT_EQ(shown(5e-5), "5e-05");
  EXPECT_EQ(shown(0.1), "0.1");
  EXPECT_EQ(shown(INT64_MIN), "-9223372036854775808");
  EXPECT_EQ(shown(true), "true");
  EXPECT_EQ(shown(std::string("a\n\x1b[31m")), R"("a\n\u{1b}[31m")");
  EXPECT_EQ(shown(Strings{"a", "b"}), R"(["a", "b"])");
  EXPECT_LT(shown(std::string(100000, 'x')).size(), 100U);
  EXPECT_LT(shown(Strings(1000, "entry")).size(), 200U);
}

}  // namespace
}  // namespace pdl
