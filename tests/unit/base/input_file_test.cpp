#include "pdl/base/input_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <utility>

#include "support/temp_folder.h"

namespace pdl {
namespace {

TEST(InputFileTest, ReadsAtAnyPlace) {
  const TempFolder folder;
  InputFile file;
  ASSERT_EQ(file.try_open(folder.file("f", "0123456789")), "");
  EXPECT_EQ(file.size(), 10);
  for (size_t begin = 0; begin <= 10; ++begin) {
    for (size_t length = 0; begin + length <= 10; ++length) {
      std::string bytes(length, '?');
      EXPECT_EQ(file.try_read(static_cast<int64_t>(begin), bytes), "");
      EXPECT_EQ(bytes, std::string("0123456789").substr(begin, length));
    }
  }
}

TEST(InputFileTest, SaysWhatCannotBeOpened) {
  const TempFolder folder;
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(InputFile().try_open(folder / "none"), "does not exist");
  EXPECT_EQ(InputFile().try_open(folder.path()), "is a folder, not a file");
  EXPECT_EQ(InputFile().try_open(folder / "fifo"), "is not a regular file");
}

TEST(InputFileTest, WhatCannotBeOpenedIsClosedOnce) {
  const TempFolder folder;
  InputFile next;
  {
    InputFile refused;
    EXPECT_NE(refused.try_open(folder.path()), "");
    ASSERT_EQ(next.try_open(folder.file("f", "x")), "");  // gets the same descriptor
  }
  std::string bytes(1, '\0');
  EXPECT_EQ(next.try_read(0, bytes), "");
}

TEST(InputFileTest, AFileThatBecomesShorterIsAProblemAndNoSignal) {
  const TempFolder folder;
  InputFile file;
  ASSERT_EQ(file.try_open(folder.file("f", std::string(100'000, 'x'))), "");
  std::filesystem::resize_file(folder / "f", 10);
  std::string bytes(5, '\0');
  EXPECT_EQ(file.try_read(5, bytes), "");
  EXPECT_EQ(file.try_read(6, bytes), "became shorter while it was read");
  EXPECT_EQ(file.try_read(50'000, bytes), "became shorter while it was read");
}

TEST(InputFileTest, MovesWithItsFile) {
  const TempFolder folder;
  InputFile first;
  InputFile second;
  ASSERT_EQ(first.try_open(folder.file("a", "a")), "");
  ASSERT_EQ(second.try_open(folder.file("b", "bb")), "");
  second = std::move(first);
  const InputFile third = std::move(second);
  std::string bytes(1, '\0');
  EXPECT_EQ(third.try_read(0, bytes), "");
  EXPECT_EQ(bytes, "a");
  EXPECT_EQ(third.size(), 1);
}

}  // namespace
}  // namespace pdl
