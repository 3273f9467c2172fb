#include "report/markup.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pdl::report {
namespace {

TEST(Markup, NothingHiddenIsLeft) {
  EXPECT_EQ(visible("plain äöü 漢字 👩"), "plain äöü 漢字 👩");
  EXPECT_EQ(visible(std::string_view("a\0b\x7f\t\n", 6)), "a\\u0000b\\u007f\\u0009\\u000a");
  EXPECT_EQ(visible("\u202e\u200b\u2028\u00ad\ufeff\u3164\u2800"),
            "\\u202e\\u200b\\u2028\\u00ad\\ufeff\\u3164\\u2800");
  EXPECT_EQ(visible("\U000e0041"), "\\U000e0041");
  EXPECT_EQ(visible("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(visible("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // half a surrogate pair
}

TEST(Markup, EscapesWhatHtmlReads) {
  EXPECT_EQ(escape("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  EXPECT_EQ(escape_lines("a\n<\n"), "a<br>&lt;<br>");
  EXPECT_EQ(escape_lines(""), "");
}

TEST(Markup, ShortensByCharacters) {
  EXPECT_EQ(shortened("äöü", 3), "äöü");
  EXPECT_EQ(shortened("äöüx", 3), "äöü…");
  EXPECT_EQ(shortened("\u202eabc", 2), "\\u202ea…");
  EXPECT_EQ(shortened("a", 0), "…");
}

TEST(Markup, Numbers) {
  EXPECT_EQ(decimals(-0.1336, 3), "-0.134");
  EXPECT_EQ(decimals(-0.0004, 3), "0.000");
  EXPECT_EQ(decimals(NAN, 3), kNone);
  EXPECT_EQ(decimals(INFINITY, 3), kNone);
  EXPECT_EQ(decimals(std::nullopt, 3), kNone);
  EXPECT_EQ(share(0.125), "12.5 %");
  EXPECT_EQ(share(NAN), kNone);
  EXPECT_EQ(counted(1, "seed"), "1 seed");
  EXPECT_EQ(counted(0, "seed"), "0 seeds");
}

}  // namespace
}  // namespace pdl::report
