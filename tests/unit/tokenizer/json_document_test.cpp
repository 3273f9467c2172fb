#include "tokenizer/tokenizer_json/json_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pdl/base/error.h"

namespace pdl::tokenizer_json {
namespace {

double score(const std::string& written) { return score_of(parse_json(written, "file")); }

// The values are those that the `tokenizers` package 0.23.3 writes again for the same text.
TEST(JsonDocumentTest, ScoresAreRoundedAsTheTokenizersPackageDoes) {
  EXPECT_EQ(score("-3.0123284804704786"), -0x1.8193faca370cdp+1);  // the nearest ends in e
  EXPECT_EQ(score("-2.5"), -2.5);
  EXPECT_EQ(score("-7"), -7.0);
  EXPECT_EQ(score("1e-400"), 0.0);
  EXPECT_EQ(score("-1e22"), -1e22);
}

TEST(JsonDocumentTest, ReadsATree) {
  const JsonValue root = parse_json(R"({"a": [1, "x", null, true, 2.5], "a": {}})", "file");
  ASSERT_EQ(root.keys(), (std::vector<std::string>{"a", "a"}));
  ASSERT_EQ(root.items()[0].items().size(), 5u);
  EXPECT_EQ(root.items()[0].items()[0].integer, 1);
  EXPECT_EQ(root.items()[0].items()[1].text, "x");
  EXPECT_TRUE(root.items()[0].items()[2].is(JsonValue::Kind::kNull));
  EXPECT_TRUE(root.items()[0].items()[3].boolean);
  EXPECT_EQ(root.items()[0].items()[4].text, "2.5");
  EXPECT_THROW(ObjectReader(root, "file", ""), ModelError);  // given twice
}

TEST(JsonDocumentTest, LimitsDepthAndNumberOfValues) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_NO_THROW(parse_json(nested(32), "file"));
  EXPECT_THROW(parse_json(nested(33), "file"), ModelError);
  std::string many = "[";
  for (int i = 0; i < 8'000'000; ++i) many += "0,";
  EXPECT_THROW(parse_json(many + "0]", "file"), ModelError);
}

TEST(JsonDocumentTest, NothingStandsAroundTheValue) {
  EXPECT_NO_THROW(parse_json(" {} \n", "file"));
  for (const std::string& text : {std::string("{}\0", 3), std::string("{}\0{\"a\": 1}", 11),
                                  std::string("\xef\xbb\xbf{}"), std::string("{} {}")}) {
    EXPECT_THROW(parse_json(text, "file"), ModelError) << text;
  }
}

TEST(JsonDocumentTest, AKeyThatNobodyAskedForIsNamed) {
  const JsonValue root = parse_json(R"({"a": 1, "b": 2})", "file");
  ObjectReader reader(root, "file", "model");
  reader.ignore("a");
  try {
    reader.finish();
    FAIL() << "accepted";
  } catch (const ModelError& problem) {
    EXPECT_THAT(problem.what(), ::testing::HasSubstr("model.b is not supported"));
  }
}

}  // namespace
}  // namespace pdl::tokenizer_json
