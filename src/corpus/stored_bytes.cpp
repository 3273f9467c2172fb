#include "stored_bytes.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/base/file.h"

namespace pdl {

StoredBytes::StoredBytes(std::string file, StoredBytesObserver observer)
    : file_(std::move(file)),
      observer_(std::move(observer)),
      is_standard_input_(file_ == "-"),
      descriptor_(STDIN_FILENO) {
  if (is_standard_input_) return;
  const std::string problem = try_open_file(file_, descriptor_, remaining_);
  if (!problem.empty()) fail(problem);
}

StoredBytes::~StoredBytes() {
  if (!is_standard_input_) ::close(descriptor_);
}

size_t StoredBytes::read(char* to, size_t size) {
  // Linux transfers at most 0x7ffff000 bytes per call.
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
