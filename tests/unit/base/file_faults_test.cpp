// Which names are synced, and what is left when a rename or a sync fails. The functions of the C
// library are replaced for the whole test program; unless a test asks for more, they do the same.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "support/temp_folder.h"

namespace {

// Each returns the number of an error, or 0 to have the call done.
std::function<int(const std::string& from, const std::string& to, bool exchanges)> on_rename;
std::function<int(const std::string& path)> on_sync;

int fail_with(int error_number) {
  errno = error_number;
  return -1;
}

}  // namespace

extern "C" int renameat2(int from_folder, const char* from, int to_folder, const char* to,
                         unsigned flags) noexcept {
  const int problem = on_rename ? on_rename(from, to, (flags & RENAME_EXCHANGE) != 0) : 0;
  if (problem != 0) return fail_with(problem);
  return static_cast<int>(::syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
}

extern "C" int rename(const char* from, const char* to) noexcept {
  return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

extern "C" int fsync(int descriptor) {
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const int problem = on_sync ? on_sync(std::filesystem::read_symlink(link)) : 0;
  if (problem != 0) return fail_with(problem);
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

namespace pdl {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class FileFaultsTest : public testing::Test {
 protected:
  FileFaultsTest() {
    folder.file("new/f", "new");
    folder.file("name/f", "old");
  }
  ~FileFaultsTest() override {
    on_rename = nullptr;
    on_sync = nullptr;
  }

  // The content of the folders, some of which have temporary names.
  std::vector<std::string> contents() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder.path()))
      found.push_back(file_content(entry.path() / "f"));
    std::sort(found.begin(), found.end());
    return found;
  }

  TempFolder folder;
};

int cannot_exchange(const std::string&, const std::string&, bool exchanges) {
  return exchanges ? EINVAL : 0;
}

TEST_F(FileFaultsTest, EveryNewFolderIsSyncedInTheOneAbove) {
  std::vector<fs::path> synced;
  on_sync = [&](const std::string& path) {
    synced.emplace_back(path);
    return 0;
  };
  make_folder(folder / "a/b/c/");
  EXPECT_TRUE(fs::is_directory(folder / "a/b/c"));
  EXPECT_THAT(synced, ElementsAre(folder.path(), folder / "a", folder / "a/b"));
  synced.clear();
  make_folder(folder / "a/b/c");
  EXPECT_THAT(synced, IsEmpty());
}

TEST_F(FileFaultsTest, AFolderIsReplacedWhereNamesCannotBeExchanged) {
  on_rename = cannot_exchange;
  replace_folder_durably(folder / "new", folder / "name");
  EXPECT_EQ(file_content(folder / "name/f"), "new");
  EXPECT_THAT(contents(), ElementsAre("new"));
}

TEST_F(FileFaultsTest, ARenameThatFailsLeavesBothFolders) {
  for (const bool exchanges : {true, false}) {
    on_rename = [&](const std::string& from, const std::string&, bool is_exchange) {
      if (is_exchange && !exchanges) return EINVAL;
      return from == folder / "new" ? EIO : 0;
    };
    EXPECT_THROW(replace_folder_durably(folder / "new", folder / "name"), StorageError);
    EXPECT_EQ(file_content(folder / "name/f"), "old");
    EXPECT_EQ(file_content(folder / "new/f"), "new");
    EXPECT_THAT(contents(), ElementsAre("new", "old"));
  }
}

TEST_F(FileFaultsTest, AfterASyncThatFailsNothingIsLost) {
  on_sync = [](const std::string&) { return EIO; };
  EXPECT_THROW(replace_folder_durably(folder / "new", folder / "name"), StorageError);
  EXPECT_EQ(file_content(folder / "name/f"), "old");
  EXPECT_EQ(file_content(folder / "new/f"), "new");

  on_rename = cannot_exchange;
  EXPECT_THROW(replace_folder_durably(folder / "new", folder / "name"), StorageError);
  EXPECT_EQ(file_content(folder / "name/f"), "new");
  EXPECT_FALSE(fs::exists(folder / "new"));
  EXPECT_THAT(contents(), ElementsAre("new", "old"));
}

}  // namespace
}  // namespace pdl
