#include "tokenizer/utf8_end.h"

#include <gtest/gtest.h>

#include <string>

namespace pdl {
namespace {

TEST(Utf8EndTest, CountsTheBytesOfACharacterThatIsNotComplete) {
  EXPECT_EQ(size_of_incomplete_end(""), 0u);
  const std::string text = "a\U0001f600";  // f0 9f 98 80
  EXPECT_EQ(size_of_incomplete_end(text.substr(0, 1)), 0u);
  EXPECT_EQ(size_of_incomplete_end(text.substr(0, 2)), 1u);
  EXPECT_EQ(size_of_incomplete_end(text.substr(0, 3)), 2u);
  EXPECT_EQ(size_of_incomplete_end(text.substr(0, 4)), 3u);
  EXPECT_EQ(size_of_incomplete_end(text), 0u);
}

TEST(Utf8EndTest, WhatNoByteCanCompleteIsNotWaitedFor) {
  EXPECT_EQ(size_of_incomplete_end("\x9f\x98"), 0u);
  EXPECT_EQ(size_of_incomplete_end("\xff"), 0u);
  EXPECT_EQ(size_of_incomplete_end("\xed\xa0"), 0u);  // of a surrogate
  EXPECT_EQ(size_of_incomplete_end("\xc0"), 0u);      // overlong
  EXPECT_EQ(size_of_incomplete_end("\xf0\x9f\xe4"), 1u);
}

}  // namespace
}  // namespace pdl
