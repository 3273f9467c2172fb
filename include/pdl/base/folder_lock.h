// Lets one process at a time work in a folder.
#pragma once

#include <filesystem>

namespace pdl {

// An flock() on the file `.lock` in the folder, held from construction to destruction. The lock
// ends with the process, however that ends: a killed process leaves the file, but not the lock.
// Other machines see the lock too where the file system shares locks.
class FolderLock {
 public:
  // Creates the folder if there is none. Throws ConfigError if another process holds the lock, and
  // StorageError if the folder or the file system does not allow locks.
  explicit FolderLock(const std::filesystem::path& folder);
  // Removes the file, and those folders made by the constructor that are still empty.
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
