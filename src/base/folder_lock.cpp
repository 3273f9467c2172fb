#include "pdl/base/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "posix_file.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

// Returns the outermost folder of the path that does not exist; empty if the path exists.
fs::path first_missing(const fs::path& folder) {
  std::error_code ignored;
  fs::path missing;
  for (fs::path at = folder; !at.empty() && !fs::exists(at, ignored); at = at.parent_path()) {
    missing = at;
    if (!at.has_relative_path()) break;
  }
  return missing;
}

// Another process may have removed the file between open() and flock().
bool is_at(int descriptor, const fs::path& path) {
  struct stat held {};
  struct stat named {};
  return ::fstat(descriptor, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

}  // namespace

FolderLock::FolderLock(const fs::path& folder)
    : folder_(fs::absolute(folder)), first_made_(first_missing(folder_)) {
  const fs::path path = folder_ / kFileName;
  // Tries again if the owner removed the file, or the folder, after it was opened here.
  while (true) {
    make_folder(folder_);
    descriptor_ = open_retrying(path, O_RDWR | O_CREAT, 0644);
    if (descriptor_ < 0 && errno == ENOENT) continue;
    if (descriptor_ < 0) fail("create", path, errno);
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      const int error_number = errno;
      ::close(descriptor_);
      if (error_number == EINTR) continue;
      if (error_number != EWOULDBLOCK) fail("lock", path, error_number);
      throw ConfigError("another process is training in output_dir '" + folder_.string() +
                        "'; wait for it, or choose another output_dir");
    }
    if (is_at(descriptor_, path)) return;
    ::close(descriptor_);
  }
}

FolderLock::~FolderLock() {
  std::error_code ignored;
  // Removed while still locked, so that a process that opened it meanwhile sees that it is gone.
  fs::remove(folder_ / kFileName, ignored);
  if (!first_made_.empty()) {
    // Ends at the first folder that is not empty.
    for (fs::path at = folder_; fs::remove(at, ignored) && at != first_made_;)
      at = at.parent_path();
  }
  ::close(descriptor_);
}

}  // namespace pdl
