#include "pdl/base/unnamed_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <string>

#include "pdl/base/file.h"
#include "posix_file.h"

namespace pdl {

namespace fs = std::filesystem;

UnnamedFile::UnnamedFile(const fs::path& folder) : path_(folder) {
  descriptor_ = open_retrying(folder, O_TMPFILE | O_RDWR, 0644);
  if (descriptor_ >= 0) return;
  // EISDIR: the kernel does not have O_TMPFILE. EOPNOTSUPP: the file system does not.
  if (errno != EOPNOTSUPP && errno != EISDIR) fail("create a file in", folder, errno);
  path_ = temporary_name(folder / "unnamed");
  descriptor_ = open_retrying(path_, O_RDWR | O_CREAT | O_EXCL, 0644);
  if (descriptor_ < 0) fail("create", path_, errno);
  has_name_ = true;
}

UnnamedFile::~UnnamedFile() {
  ::close(descriptor_);
  if (has_name_) ::unlink(path_.c_str());
}

void UnnamedFile::write(std::string_view bytes) { write_all(descriptor_, bytes, path_); }

void UnnamedFile::publish(const fs::path& path) {
  const int sync_error = sync_retrying(descriptor_);
  if (sync_error != 0) fail("sync", path, sync_error);
  if (!has_name_) {
    // A link cannot replace a file, but a rename can, so the file first gets a temporary name.
    const fs::path temporary = temporary_name(path);
    const std::string open_file = "/proc/self/fd/" + std::to_string(descriptor_);
    if (::linkat(AT_FDCWD, open_file.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) != 0)
      fail("create", temporary, errno);
    path_ = temporary;
    has_name_ = true;
  }
  rename_durably(path_, path);
  has_name_ = false;
}

MappedFile::MappedFile(int descriptor, const fs::path& path) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) fail("read", path, errno);
  size_ = static_cast<size_t>(status.st_size);
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0);
  if (address == MAP_FAILED && errno == ENOMEM) throw std::bad_alloc();
  if (address == MAP_FAILED) fail("map", path, errno);
  address_ = address;
}

MappedFile::~MappedFile() {
  if (address_ != nullptr) ::munmap(address_, size_);
}

std::string_view MappedFile::content() const { return {static_cast<const char*>(address_), size_}; }

}  // namespace pdl
