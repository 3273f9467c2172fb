#include "pdl/config/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "pdl/config/config_table.h"

// tests/cli/schema_test.py tests with an independent validator that the schema is valid and agrees
// with the loader.

namespace pdl {
namespace {

using nlohmann::json;

json schema() { return json::parse(config_schema_json()); }

TEST(SchemaTest, IsDraft202012AndClosed) {
  const json all = schema();
  EXPECT_EQ(all["$schema"], "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(all["type"], "object");
  EXPECT_EQ(all["additionalProperties"], false);
  EXPECT_EQ(all["required"], json({"model_path", "train_files", "output_dir"}));
}

TEST(SchemaTest, DescribesEveryKeyAndNoOther) {
  const json properties = schema()["properties"];
  EXPECT_EQ(properties.size(), config_keys().size());
  for (const ConfigKey& key : config_keys()) {
    ASSERT_TRUE(properties.contains(key.name)) << key.name;
    const std::string description = properties[std::string(key.name)]["description"];
    EXPECT_TRUE(description.starts_with(key.help)) << key.name;
  }
}

TEST(SchemaTest, DefaultsAreThoseOfTheTable) {
  const json properties = schema()["properties"];
  EXPECT_EQ(properties["learning_rate"]["default"], 5e-5);
  EXPECT_EQ(properties["max_steps"]["default"], -1);
  EXPECT_EQ(properties["text_document"]["default"], "file");
  EXPECT_EQ(properties["freeze"]["default"], json::array());
  EXPECT_FALSE(properties["model_path"].contains("default"));
}

TEST(SchemaTest, RangesAreThoseOfTheTable) {
  const json properties = schema()["properties"];
  int num_ranges = 0;
  for (const ConfigKey& key : config_keys()) {
    const json& property = properties[std::string(key.name)];
    if (key.rules.or_value) continue;
    if (std::isfinite(key.rules.min)) {
      EXPECT_EQ(property[key.rules.open_min ? "exclusiveMinimum" : "minimum"], key.rules.min);
      ++num_ranges;
    }
    if (std::isfinite(key.rules.max)) {
      EXPECT_EQ(property[key.rules.open_max ? "exclusiveMaximum" : "maximum"], key.rules.max);
      ++num_ranges;
    }
  }
  EXPECT_GT(num_ranges, 25);
}

}  // namespace
}  // namespace pdl
