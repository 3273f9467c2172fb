#include "pdl/base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "pdl/base/error.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

using ::testing::HasSubstr;

TEST(FileTest, ReadsWhatWasWritten) {
  const TempFolder folder;
  const std::string content("a\0b\n", 4);
  write_file_durably(folder / "f", content);
  EXPECT_EQ(read_file<DataError>("text", folder / "f"), content);
  write_file_durably(folder / "f", "");
  EXPECT_EQ(read_file<DataError>("text", folder / "f"), "");
}

TEST(FileTest, ReadsLargeFilesInPieces) {
  const TempFolder folder;
  std::string content(3'500'000, 'x');
  content[2'000'000] = 'y';
  write_file_durably(folder / "f", content);
  std::string pieces;
  EXPECT_EQ(try_read_pieces(folder / "f", [&](std::string_view piece) { pieces += piece; }), "");
  EXPECT_TRUE(pieces == content);
}

TEST(FileTest, SaysWhyAFileCannotBeRead) {
  const TempFolder folder;
  std::string content;
  EXPECT_EQ(try_read_file(folder / "none", content), "does not exist");
  EXPECT_EQ(try_read_file(folder.path(), content), "is a folder, not a file");
  EXPECT_THAT(try_read_file(folder.file("f", "abc"), content, 2), HasSubstr("larger than 2 bytes"));
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(try_read_file(folder / "fifo", content), "is not a regular file");  // and does not hang
  EXPECT_THROW(read_file<ModelError>("tokenizer", folder / "none"), ModelError);
}

TEST(FileTest, NothingIsLeftWithoutClose) {
  const TempFolder folder;
  folder.file("f", "old");
  { DurableFile(folder / "f").write("new"); }
  EXPECT_EQ(file_content(folder / "f"), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(FileTest, StorageErrorsNameThePath) {
  const TempFolder folder;
  try {
    write_file_durably(folder / "none" / "f", "x");
    FAIL();
  } catch (const StorageError& problem) {
    EXPECT_THAT(problem.what(), HasSubstr("none/f"));
  }
}

TEST(FileTest, AppendKeepsWhatIsThere) {
  const TempFolder folder;
  folder.file("f", "a\n");
  AppendFile(folder / "f").append("b\n");
  EXPECT_EQ(file_content(folder / "f"), "a\nb\n");
}

TEST(FileTest, ANewFileNeedsAFreeNameAndIsRemovedUnlessItIsClosed) {
  const TempFolder folder;
  { NewFile(folder / "f").write("half"); }
  EXPECT_FALSE(std::filesystem::exists(folder / "f"));
  NewFile file(folder / "f");
  file.write("whole");
  file.close();
  EXPECT_EQ(file_content(folder / "f"), "whole");
  EXPECT_THROW(NewFile(folder / "f"), StorageError);
}

TEST(FileTest, AFolderReplacesAnother) {
  const TempFolder folder;
  folder.file("new/a", "1");
  replace_folder_durably(folder / "new", folder / "name");
  EXPECT_EQ(file_content(folder / "name" / "a"), "1");
  folder.file("newer/b", "2");
  replace_folder_durably(folder / "newer", folder / "name");
  EXPECT_EQ(file_content(folder / "name" / "b"), "2");
  EXPECT_FALSE(std::filesystem::exists(folder / "name" / "a"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(FileTest, RemovesFilesFoldersAndWhatIsNotThere) {
  const TempFolder folder;
  folder.file("full/inside/f", "x");
  folder.file("f", "x");
  remove_durably(folder / "full");
  remove_durably(folder / "f");
  remove_durably(folder / "none");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(FileTest, WhatCannotBeLookedAtIsNotTakenForMissing) {
  const TempFolder folder;
  EXPECT_THROW(remove_durably(folder / std::string(300, 'x')), StorageError);  // ENAMETOOLONG
  std::filesystem::create_symlink(folder / "loop", folder / "loop");
  EXPECT_THROW(remove_temporaries(folder / "loop"), StorageError);
}

TEST(FileTest, RemovingALinkLeavesWhatItPointsTo) {
  const TempFolder folder;
  folder.file("kept/f", "x");
  std::filesystem::create_directory_symlink(folder / "kept", folder / "link");
  remove_durably(folder / "link");
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(folder / "link")));
  EXPECT_EQ(file_content(folder / "kept" / "f"), "x");
}

TEST(FileTest, TemporariesAreRemovedAndNothingElse) {
  const TempFolder folder;
  folder.file(".tmp-checkpoint-5-123/model.safetensors", "half");
  folder.file(".tmp-config.json-123-0", "half");
  folder.file("kept", "x");
  remove_temporaries(folder.path());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  remove_temporaries(folder / "none");
}

TEST(FileTest, KnowsTheFreeSpace) {
  const TempFolder folder;
  EXPECT_GT(free_bytes(folder.path()), 0);
  EXPECT_THROW(free_bytes(folder / "none"), StorageError);
}

TEST(ReplaceFolderTest, RemovesWhatAKilledProcessHasLeftAndNothingElse) {
  const TempFolder folder;
  const std::filesystem::path parent = folder.path();
  // The number is none of a process. The others belong to the folder model-2, and to a file.
  const auto left = parent / ".tmp-model-2147483000";
  const auto of_another = parent / ".tmp-model-2-2147483000";
  const auto of_a_file = parent / ".tmp-model-2147483000-3";
  for (const auto& path : {left, of_another, of_a_file})
    std::filesystem::create_directories(path / "part");
  replace_folder(parent / "model", [](const std::filesystem::path& unfinished) {
    write_file_durably(unfinished / "file", "new");
  });
  EXPECT_TRUE(std::filesystem::exists(parent / "model/file"));
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(std::filesystem::exists(of_another));
  EXPECT_TRUE(std::filesystem::exists(of_a_file));
}

}  // namespace
}  // namespace pdl
