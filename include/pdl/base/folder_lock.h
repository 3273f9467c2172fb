// One process at a time works in a folder.
#pragma once

#include <filesystem>

namespace pdl {

// Held from construction to destruction, and gone with the process however it ends: an flock() on
// the file `.lock` in the folder, which other machines see too where the file system shares locks.
// A process that is killed leaves the file, but not the lock.
class FolderLock {
 public:
  // Makes the folder if there is none. Throws ConfigError if another process holds the lock, and
  // StorageError if the folder or the file system does not allow it.
  explicit FolderLock(const std::filesystem::path& folder);
  // Removes the file, and the folders that the constructor made if nothing has been put there.
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  static constexpr const char* kFileName = ".lock";

 private:
  std::filesystem::path folder_;
  std::filesystem::path
      first_made_;  // the outermost folder that the constructor made; may be empty
  int descriptor_ = -1;
};

}  // namespace pdl
