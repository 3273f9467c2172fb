#include "pdl/base/input_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "pdl/base/file.h"

namespace pdl {

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

InputFile::InputFile(InputFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  return *this;
}

std::string InputFile::try_open(const std::filesystem::path& path) {
  return try_open_file(path, descriptor_, size_);
}

std::string InputFile::try_read(int64_t offset, std::span<char> to) const {
  // Linux transfers at most 0x7ffff000 bytes per call.
  constexpr size_t kMaxTransferBytes = size_t{1} << 30;
  while (!to.empty()) {
    const ssize_t got =
        ::pread(descriptor_, to.data(), std::min(to.size(), kMaxTransferBytes), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::string("cannot be read: ") + std::strerror(errno);
    if (got == 0) return "became shorter while it was read";
    to = to.subspan(static_cast<size_t>(got));
    offset += got;
  }
  return "";
}

}  // namespace pdl
