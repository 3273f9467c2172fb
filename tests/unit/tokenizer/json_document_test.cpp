#include "tokenizer/tokenizer_json/json_document.h"

#include <gtest/gtest.h>

#include "pdl/base/error.h"

namespace pdl::tokenizer_json {
namespace {

JsonValue parse(std::string_view text) {
  return parse_document(text, JsonBlame::of<ModelError>("file cannot be used: "));
}

double score(const std::string& written) { return score_of(parse(written)); }

// The values are those that the `tokenizers` package 0.23.3 writes again for the same text.
TEST(JsonDocumentTest, ScoresAreRoundedAsTheTokenizersPackageDoes) {
  EXPECT_EQ(score("-3.0123284804704786"), -0x1.8193faca370cdp+1);  // the nearest ends in e
  EXPECT_EQ(score("-2.5"), -2.5);
  EXPECT_EQ(score("-7"), -7.0);
  EXPECT_EQ(score("1e-400"), 0.0);
  EXPECT_EQ(score("-1e22"), -1e22);
}

TEST(JsonDocumentTest, LimitsDepthAndNumberOfValues) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_NO_THROW(parse(nested(32)));
  EXPECT_THROW(parse(nested(33)), ModelError);
  std::string many = "[";
  for (int i = 0; i < 8'000'000; ++i) many += "0,";
  EXPECT_THROW(parse(many + "0]"), ModelError);
}

TEST(JsonDocumentTest, NothingStandsAroundTheValue) {
  EXPECT_NO_THROW(parse(" {} \n"));
  for (const std::string& text : {std::string("{}\0", 3), std::string("{}\0{\"a\": 1}", 11),
                                  std::string("\xef\xbb\xbf{}"), std::string("{} {}")}) {
    EXPECT_THROW(parse(text), ModelError) << text;
  }
}

}  // namespace
}  // namespace pdl::tokenizer_json
