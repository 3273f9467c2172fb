#include "pdl/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "pdl/base/error.h"
#include "posix_file.h"

namespace pdl {

void fail(std::string_view action, const std::filesystem::path& path, int error_number) {
  throw StorageError("cannot " + std::string(action) + " '" + path.string() +
                     "': " + std::strerror(error_number));
}

void write_all(int descriptor, std::string_view bytes, const std::filesystem::path& path) {
  // Linux transfers at most 0x7ffff000 bytes a call.
  constexpr size_t kMaxTransferBytes = size_t{1} << 30;
  while (!bytes.empty()) {
    const ssize_t written =
        ::write(descriptor, bytes.data(), std::min(bytes.size(), kMaxTransferBytes));
    if (written < 0) {
      if (errno == EINTR) continue;
      fail("write", path, errno);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

namespace {

namespace fs = std::filesystem;

int open_retrying(const fs::path& path, int flags, mode_t mode = 0) {
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

// Where the name of a file or folder is kept: its parent folder.
void sync_folder_of(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const int descriptor = open_retrying(folder, O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) fail("open folder", folder, errno);
  const int result = ::fsync(descriptor);
  const int error_number = errno;
  ::close(descriptor);
  if (result != 0) fail("sync folder", folder, error_number);
}

// Reads `size` bytes.
std::string read_descriptor(int descriptor, int64_t size,
                            const std::function<void(std::string_view bytes)>& visit) {
  constexpr size_t kPieceBytes = size_t{1} << 20;
  auto remaining = static_cast<size_t>(size);
  std::string piece(std::min(kPieceBytes, remaining), '\0');
  while (remaining > 0) {
    const ssize_t got = ::read(descriptor, piece.data(), std::min(piece.size(), remaining));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::string("cannot be read: ") + std::strerror(errno);
    if (got == 0) return "became shorter while it was read";
    visit(std::string_view(piece.data(), static_cast<size_t>(got)));
    remaining -= static_cast<size_t>(got);
  }
  return "";
}

// Reads a regular file from its start to its end. `begin` receives its size before the first piece.
std::string open_and_read(const fs::path& path, int64_t max_bytes,
                          const std::function<void(size_t size)>& begin,
                          const std::function<void(std::string_view bytes)>& visit) {
  int descriptor = -1;
  int64_t size = 0;
  std::string problem = try_open_file(path, descriptor, size);
  if (!problem.empty()) return problem;
  if (size > max_bytes) {
    problem = "is larger than " + std::to_string(max_bytes) + " bytes";
  } else {
    begin(static_cast<size_t>(size));
    problem = read_descriptor(descriptor, size, visit);
  }
  ::close(descriptor);
  return problem;
}

// "" for a regular file, whose size it sets.
std::string check_kind(int descriptor, int64_t& size) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0)
    return std::string("cannot be read: ") + std::strerror(errno);
  if (S_ISDIR(status.st_mode)) return "is a folder, not a file";
  if (!S_ISREG(status.st_mode)) return "is not a regular file";
  size = status.st_size;
  return "";
}

}  // namespace

std::string try_open_file(const fs::path& path, int& descriptor, int64_t& size) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer; it is refused a moment later.
  descriptor = open_retrying(path, O_RDONLY | O_NONBLOCK);
  if (descriptor < 0) {
    if (errno == ENOENT) return "does not exist";
    return std::string("cannot be opened: ") + std::strerror(errno);
  }
  std::string problem = check_kind(descriptor, size);
  if (!problem.empty()) ::close(descriptor);
  return problem;
}

std::string try_read_file(const fs::path& path, std::string& content, int64_t max_bytes) {
  content.clear();
  return open_and_read(
      path, max_bytes, [&](size_t size) { content.reserve(size); },
      [&](std::string_view bytes) { content += bytes; });
}

std::string try_read_pieces(const fs::path& path,
                            const std::function<void(std::string_view bytes)>& visit) {
  return open_and_read(
      path, INT64_MAX, [](size_t) {}, visit);
}

DurableFile::DurableFile(const fs::path& path)
    : path_(path), temporary_path_(path.string() + ".tmp-" + std::to_string(::getpid())) {
  descriptor_ = open_retrying(temporary_path_, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (descriptor_ < 0) fail("create", temporary_path_, errno);
}

DurableFile::~DurableFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_path_.c_str());
}

void DurableFile::write(std::string_view bytes) { write_all(descriptor_, bytes, temporary_path_); }

void DurableFile::close() {
  if (::fsync(descriptor_) != 0) fail("sync", temporary_path_, errno);
  const int descriptor = descriptor_;
  descriptor_ = -1;
  const bool complete =
      ::close(descriptor) == 0 && ::rename(temporary_path_.c_str(), path_.c_str()) == 0;
  if (!complete) {
    const int error_number = errno;
    ::unlink(temporary_path_.c_str());
    fail("write", path_, error_number);
  }
  sync_folder_of(path_);
}

void write_file_durably(const fs::path& path, std::string_view content) {
  DurableFile file(path);
  file.write(content);
  file.close();
}

AppendFile::AppendFile(const fs::path& path) : path_(path) {
  descriptor_ = open_retrying(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (descriptor_ < 0) fail("create", path, errno);
}

AppendFile::~AppendFile() { ::close(descriptor_); }

void AppendFile::append(std::string_view bytes) { write_all(descriptor_, bytes, path_); }

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw StorageError("cannot make folder '" + folder.string() + "': " + error.message());
}

void rename_durably(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail("rename to", to, errno);
  sync_folder_of(to);
}

}  // namespace pdl
