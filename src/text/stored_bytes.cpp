#include "stored_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "pdl/base/error.h"

namespace pdl {

StoredBytes::StoredBytes(std::string file, StoredBytesObserver observer)
    : file_(std::move(file)),
      observer_(std::move(observer)),
      is_standard_input_(file_ == "-"),
      descriptor_(STDIN_FILENO) {
  if (!is_standard_input_) {
    do {
      // O_NONBLOCK: opening a FIFO must not wait for a writer; it is refused a moment later.
      descriptor_ = ::open(file_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    } while (descriptor_ < 0 && errno == EINTR);
    if (descriptor_ < 0 && errno == ENOENT) fail("does not exist");
    if (descriptor_ < 0) fail(std::string("cannot be opened: ") + std::strerror(errno));
  }
  try {
    check_kind();
  } catch (...) {
    if (!is_standard_input_) ::close(descriptor_);
    throw;
  }
}

StoredBytes::~StoredBytes() {
  if (!is_standard_input_) ::close(descriptor_);
}

void StoredBytes::check_kind() {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) {
    fail(std::string("cannot be read: ") + std::strerror(errno));
  }
  if (S_ISDIR(status.st_mode)) fail("is a folder, not a file");
  if (is_standard_input_) return;
  if (!S_ISREG(status.st_mode)) fail("is not a regular file");
  remaining_ = status.st_size;
}

size_t StoredBytes::read(char* to, size_t size) {
  // Linux transfers at most 0x7ffff000 bytes a call.
  constexpr size_t kMaxTransferBytes = size_t{1} << 30;
  const auto wanted = static_cast<size_t>(
      std::min(remaining_, static_cast<int64_t>(std::min(size, kMaxTransferBytes))));
  if (wanted == 0) return 0;
  ssize_t got = 0;
  do {
    got = ::read(descriptor_, to, wanted);
  } while (got < 0 && errno == EINTR);
  if (got < 0) fail(std::string("cannot be read: ") + std::strerror(errno));
  if (got == 0) {
    if (!is_standard_input_) fail("became shorter while it was read");
    remaining_ = 0;
    return 0;
  }
  if (!is_standard_input_) remaining_ -= got;
  if (observer_) observer_(std::string_view(to, static_cast<size_t>(got)));
  return static_cast<size_t>(got);
}

void StoredBytes::fail(const std::string& problem) const {
  const std::string name = is_standard_input_ ? "standard input" : "file '" + file_ + "'";
  throw DataError(name + " " + problem);
}

}  // namespace pdl
