#include "pdl/base/folder_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "pdl/base/error.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

TEST(FolderLockTest, OneHolderAtATime) {
  const TempFolder folder;
  std::optional<FolderLock> lock(folder / "out");
  EXPECT_THROW(FolderLock(folder / "out"), ConfigError);
  folder.file("out/result", "x");
  lock.reset();
  EXPECT_FALSE(std::filesystem::exists(folder / "out" / FolderLock::kFileName));
  EXPECT_NO_THROW(FolderLock(folder / "out"));
  EXPECT_TRUE(std::filesystem::exists(folder / "out" / "result"));
}

TEST(FolderLockTest, FoldersThatStayEmptyAreRemovedAgain) {
  const TempFolder folder;
  { const FolderLock lock(folder / "a" / "b"); }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(FolderLockTest, AFolderThatWasThereStays) {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "a");
  { const FolderLock lock(folder / "a"); }
  EXPECT_TRUE(std::filesystem::exists(folder / "a"));
}

TEST(FolderLockTest, ADeadOwnerHoldsNothing) {
  const TempFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    const FolderLock lock(folder / "out");
    ::raise(SIGKILL);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(std::filesystem::exists(folder / "out" / FolderLock::kFileName));
  EXPECT_NO_THROW(FolderLock(folder / "out"));
}

TEST(FolderLockTest, AFileInItsPlaceIsAStorageError) {
  const TempFolder folder;
  folder.file("out", "x");
  EXPECT_THROW(FolderLock(folder / "out"), StorageError);
}

}  // namespace
}  // namespace pdl
