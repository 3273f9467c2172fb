#include "pdl/base/unicode.h"

#include <gtest/gtest.h>

namespace pdl {
namespace {

TEST(UnicodeTest, FindsTheFirstInvalidByte) {
  EXPECT_EQ(find_invalid_utf8("héllo 你好 \U0001F600"), std::string_view::npos);
  EXPECT_EQ(find_invalid_utf8(""), std::string_view::npos);
  EXPECT_EQ(find_invalid_utf8("ab\xff"), 2U);
  EXPECT_EQ(find_invalid_utf8("ab\xc3"), 2U);            // cut in the middle
  EXPECT_EQ(find_invalid_utf8("\xed\xa0\x80"), 0U);      // a surrogate
  EXPECT_EQ(find_invalid_utf8("\xc0\xaf"), 0U);          // overlong
  EXPECT_EQ(find_invalid_utf8("\xf4\x90\x80\x80"), 0U);  // beyond U+10FFFF
  EXPECT_EQ(find_invalid_utf8(std::string_view("\0a", 2)), std::string_view::npos);
}

TEST(UnicodeTest, WhiteSpaceIsThatOfPython) {
  EXPECT_TRUE(
      is_white_space(" \t\r\n\v\f\x1c\x1f\u0085\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000"));
  EXPECT_TRUE(is_white_space(""));
  EXPECT_FALSE(is_white_space("\u200b"));  // a zero-width space is not white space
  EXPECT_FALSE(is_white_space(" a "));
  EXPECT_FALSE(is_white_space("\ufeff"));
}

TEST(UnicodeTest, OuterWhiteSpaceIsThatOfPythonsStrip) {
  EXPECT_EQ(without_outer_white_space(""), "");
  EXPECT_EQ(without_outer_white_space("a"), "a");
  EXPECT_EQ(without_outer_white_space(" \t\u3000\u2028"), "");
  EXPECT_EQ(without_outer_white_space("\u2003\n\x1c世 \u3000 界\u0085\u00a0\r\n"), "世 \u3000 界");
  EXPECT_EQ(without_outer_white_space("\u200b \ufeff"), "\u200b \ufeff");
  EXPECT_EQ(without_outer_white_space("🙂"), "🙂");
}

TEST(UnicodeTest, PrintableShowsNoControlCharacters) {
  EXPECT_EQ(printable("a\x1b[31mb\n\x7f"), "a\\u{1b}[31mb\\n\\u{7f}");
  EXPECT_EQ(printable("\xff\u202e"), "\\xff\\u{202e}");
  EXPECT_EQ(printable("▁né"), "▁né");
}

TEST(UnicodeTest, PrintableCutsBetweenCharacters) {
  EXPECT_EQ(printable("ééé", 5), "éé…");
  EXPECT_EQ(printable("abc", 3), "abc");
}

}  // namespace
}  // namespace pdl
