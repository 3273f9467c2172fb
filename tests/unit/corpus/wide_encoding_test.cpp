#include "corpus/wide_encoding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "pdl/base/random.h"

namespace pdl {
namespace {

// Writes each code point in units of `unit_bytes`; with two bytes, only those below 0x10000.
std::string encoded(std::u32string_view text, size_t unit_bytes, bool is_little) {
  std::string bytes;
  for (const char32_t code_point : text) {
    for (size_t i = 0; i < unit_bytes; ++i) {
      const size_t shift = 8 * (is_little ? i : unit_bytes - 1 - i);
      bytes += static_cast<char>((code_point >> shift) & 0xff);
    }
  }
  return bytes;
}

void expect_seen(std::u32string_view text) {
  EXPECT_EQ(wide_encoding_of(encoded(text, 2, true)), "UTF-16LE");
  EXPECT_EQ(wide_encoding_of(encoded(text, 2, false)), "UTF-16BE");
  EXPECT_EQ(wide_encoding_of(encoded(text, 4, true)), "UTF-32LE");
  EXPECT_EQ(wide_encoding_of(encoded(text, 4, false)), "UTF-32BE");
}

TEST(WideEncodingTest, TextOfEveryAlphabetIsSeen) {
  expect_seen(U"ab");
  expect_seen(U"1\n");
  expect_seen(U"a\nb\n");
  expect_seen(U"\ta\tb\n");
  expect_seen(U"{\"text\": \"a\"}\n");
  expect_seen(U"A plain text, with \u201cquotes\u201d \u2014 and dashes\u2026\r\n");
  expect_seen(U"Съешь же ещё этих мягких французских булок, да выпей чаю.\n");
  expect_seen(U"ΞΕΣΚΕΠΑΖΩ την ψυχοφθόρα βδελυγμία");
  expect_seen(U"\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e");
  std::u32string with_emoji = U"a word";
  with_emoji += U"\U0001f642";
  EXPECT_EQ(wide_encoding_of(encoded(with_emoji, 4, true)), "UTF-32LE");
}

TEST(WideEncodingTest, AMarkDecides) {
  using namespace std::string_view_literals;
  EXPECT_EQ(wide_encoding_of("\xff\xfe"sv), "UTF-16LE");
  EXPECT_EQ(wide_encoding_of("\xfe\xff\x4e\x2d"sv), "UTF-16BE");
  EXPECT_EQ(wide_encoding_of("\xff\xfe\0\0"sv), "UTF-32LE");
  EXPECT_EQ(wide_encoding_of("\0\0\xfe\xff"sv), "UTF-32BE");
  EXPECT_EQ(wide_encoding_of("\xef\xbb\xbf"sv), "");
}

TEST(WideEncodingTest, Utf8WithNulsIsLeftAlone) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {""sv, "a"sv, "\0"sv, "a\0"sv, "\0a"sv, "\0\0\0\0"sv, "a\0b"sv, "ab\0cd"sv, "hello\0"sv,
        "abc\0def\0"sv, "a.txt\0b.txt\0c.txt\0"sv, "one\0two\0six\0ten\0"sv, "a\tb\tc\td\n"sv,
        "Привет\0мир\0"sv, "中文\0中文\0"sv}) {
    EXPECT_EQ(wide_encoding_of(text), "") << testing::PrintToString(text);
  }
  EXPECT_EQ(wide_encoding_of(std::string(1000, '\0')), "");
  Random random(8);
  for (int trial = 0; trial < 2000; ++trial) {
    // Words that are separated by NULs, or text that has a few of them at any places.
    std::string text;
    const bool are_separators = trial % 2 == 0;
    for (uint64_t words = 1 + random.below(50); words > 0; --words) {
      text += std::string(2 + random.below(9), static_cast<char>('a' + random.below(26)));
      text += are_separators ? '\0' : ' ';
    }
    if (!are_separators) text[random.below(text.size())] = '\0';
    ASSERT_EQ(wide_encoding_of(text), "") << testing::PrintToString(text);
  }
}

}  // namespace
}  // namespace pdl
