#include "pdl/base/regex.h"

#include <gtest/gtest.h>

#include "pdl/base/error.h"

namespace pdl {
namespace {

TEST(RegexTest, SearchesAnywhere) {
  EXPECT_TRUE(Regex("b").search("abc"));
  EXPECT_FALSE(Regex("^b").search("abc"));
  EXPECT_TRUE(Regex("").search(""));
  EXPECT_TRUE(Regex("^h.llo$").search("héllo"));
  EXPECT_TRUE(Regex(R"(layers\.(0|1)\.)").search("model.layers.1.weight"));
}

TEST(RegexTest, NoExpressionIsAConfigError) {
  for (const char* text : {"(", "[a", "*", "a{2,1}", "\\"})
    EXPECT_THROW(Regex{text}, ConfigError) << text;
}

TEST(RegexTest, SaysWhatIsWrongAndWhere) {
  try {
    Regex("\u00e9[a");
    FAIL();
  } catch (const ConfigError& problem) {
    EXPECT_STREQ(problem.what(),
                 "\"\u00e9[a\" is not a regular expression: missing terminating ] for "
                 "character class at byte 4");
  }
}

TEST(RegexTest, EndlessBacktrackingIsAConfigError) {
  EXPECT_THROW(Regex("^(a+)+[bc]").search(std::string(60, 'a') + "d"), ConfigError);
  EXPECT_NO_THROW(Regex("(.*)*Z").search("blocks.0.attention.query_key_value.weight"));
}

}  // namespace
}  // namespace pdl
