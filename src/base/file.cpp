#include "pdl/base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <vector>

#include "pdl/base/error.h"
#include "posix_file.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

// The folder that holds the name of a file or folder, and so must be synced for it.
fs::path parent_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

void fail(std::string_view action, const std::filesystem::path& path, int error_number) {
  throw StorageError("cannot " + std::string(action) + " '" + path.string() +
                     "': " + std::strerror(error_number));
}

void write_all(int descriptor, std::string_view bytes, const std::filesystem::path& path) {
  // Linux transfers at most 0x7ffff000 bytes per call.
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

fs::path temporary_name(const fs::path& path) {
  static std::atomic<uint64_t> counter = 0;
  return parent_of(path) / (std::string(kTemporaryPrefix) + path.filename().string() + "-" +
                            std::to_string(::getpid()) + "-" + std::to_string(counter++));
}

int open_retrying(const fs::path& path, int flags, unsigned mode) {
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

int sync_retrying(int descriptor) {
  while (::fsync(descriptor) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

namespace {

void open_and_sync(const fs::path& path, int flags) {
  const int descriptor = open_retrying(path, flags);
  if (descriptor < 0) fail("open", path, errno);
  const int error_number = sync_retrying(descriptor);
  ::close(descriptor);
  if (error_number != 0) fail("sync", path, error_number);
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

// Passes the size of the file to `begin` before the first piece.
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

// Returns "" and sets the size if the file is regular.
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
  // O_NONBLOCK: opening a FIFO must not wait for a writer; it is refused below.
  descriptor = open_retrying(path, O_RDONLY | O_NONBLOCK);
  if (descriptor < 0) {
    if (errno == ENOENT) return "does not exist";
    return std::string("cannot be opened: ") + std::strerror(errno);
  }
  std::string problem = check_kind(descriptor, size);
  if (!problem.empty()) {
    ::close(descriptor);
    descriptor = -1;
  }
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

NewFile::NewFile(const fs::path& path, const fs::path& shown)
    : path_(path), shown_(shown.empty() ? path : shown) {
  descriptor_ = open_retrying(path_, O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (descriptor_ < 0) fail("create", shown_, errno);
}

NewFile::~NewFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(path_.c_str());
}

void NewFile::write(std::string_view bytes) { write_all(descriptor_, bytes, shown_); }

void NewFile::close() {
  const int sync_error = sync_retrying(descriptor_);
  if (sync_error != 0) fail("sync", shown_, sync_error);
  const int descriptor = descriptor_;
  descriptor_ = -1;
  // Linux has closed the descriptor even if the call was interrupted.
  if (::close(descriptor) != 0 && errno != EINTR) {
    const int error_number = errno;
    ::unlink(path_.c_str());
    fail("write", shown_, error_number);
  }
}

DurableFile::DurableFile(const fs::path& path)
    : path_(path), temporary_path_(temporary_name(path)), file_(temporary_path_, path) {}

void DurableFile::close() {
  file_.close();
  try {
    rename_durably(temporary_path_, path_);
  } catch (...) {
    ::unlink(temporary_path_.c_str());
    throw;
  }
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
  // Not with create_directories(), because the name of every new folder must be synced.
  fs::path made;
  for (const fs::path& name : folder) {
    made /= name;
    std::error_code error;
    if (fs::is_directory(made, error)) continue;
    const bool is_new = fs::create_directory(made, error);
    if (error) throw StorageError("cannot make folder '" + made.string() + "': " + error.message());
    if (is_new) sync_folder(parent_of(made));
  }
}

void sync_folder(const fs::path& folder) { open_and_sync(folder, O_RDONLY | O_DIRECTORY); }

void sync_file(const fs::path& path) { open_and_sync(path, O_RDONLY); }

void rename_durably(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail("rename to", to, errno);
  sync_folder(parent_of(to));
}

namespace {

// Of the path itself, not of what a link points to. Throws StorageError if it cannot be known.
fs::file_status status_of(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (!fs::status_known(status)) fail("look at", path, error.value());
  return status;
}

bool exchange_names(const fs::path& one, const fs::path& other) {
  return ::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0;
}

// For file systems that cannot exchange names.
void replace_folder_in_steps(const fs::path& from, const fs::path& to) {
  const fs::path old = temporary_name(to);
  if (::rename(to.c_str(), old.c_str()) != 0) fail("rename", to, errno);
  if (::rename(from.c_str(), to.c_str()) != 0) {
    const int error_number = errno;
    ::rename(old.c_str(), to.c_str());
    fail("rename to", to, error_number);
  }
  sync_folder(parent_of(to));
  remove_durably(old);
}

// Removes what processes that died have left under `prefix` and their number; what cannot be
// removed stays.
void remove_begun(const fs::path& parent, const std::string& prefix) {
  std::error_code ignored;
  for (fs::directory_iterator entry(parent, ignored), end; entry != end; entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(prefix)) continue;
    pid_t process = 0;
    const char* name_end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data() + prefix.size(), name_end, process);
    if (error != std::errc() || rest != name_end || process <= 0) continue;
    if (::kill(process, 0) != 0 && errno == ESRCH) fs::remove_all(entry->path(), ignored);
  }
}

}  // namespace

void replace_folder_durably(const fs::path& from, const fs::path& to) {
  if (!fs::exists(status_of(to))) {
    rename_durably(from, to);
    return;
  }
  if (!exchange_names(from, to)) {
    // EINVAL means that the file system cannot do that.
    if (errno != EINVAL && errno != ENOSYS) fail("rename to", to, errno);
    replace_folder_in_steps(from, to);
    return;
  }
  try {
    sync_folder(parent_of(to));
  } catch (...) {
    exchange_names(from, to);  // so that the caller may remove `from`
    throw;
  }
  remove_durably(from);
}

void replace_folder(const fs::path& folder,
                    const std::function<void(const fs::path& unfinished)>& write) {
  const std::string prefix = std::string(kTemporaryPrefix) + folder.filename().string() + "-";
  remove_begun(parent_of(folder), prefix);
  const fs::path unfinished = parent_of(folder) / (prefix + std::to_string(::getpid()));
  remove_durably(unfinished);
  try {
    make_folder(unfinished);
    write(unfinished);
    sync_folder(unfinished);
    replace_folder_durably(unfinished, folder);
  } catch (...) {
    std::error_code ignored;  // the first failure is the one to report
    fs::remove_all(unfinished, ignored);
    throw;
  }
}

void remove_durably(const fs::path& path) {
  const fs::file_status status = status_of(path);
  if (!fs::exists(status)) return;
  fs::path doomed = path;
  const bool has_temporary_name = path.filename().string().starts_with(kTemporaryPrefix);
  if (fs::is_directory(status) && !has_temporary_name) {
    doomed = temporary_name(path);
    // Without the sync, a power cut could leave the old name with a part of the content.
    rename_durably(path, doomed);
  }
  std::error_code error;
  fs::remove_all(doomed, error);
  if (error) throw StorageError("cannot remove '" + doomed.string() + "': " + error.message());
}

void remove_temporaries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> found;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename().string().starts_with(kTemporaryPrefix))
      found.push_back(entry->path());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw StorageError("cannot read folder '" + folder.string() + "': " + error.message());
  }
  for (const fs::path& path : found) remove_durably(path);
}

int64_t free_bytes(const fs::path& folder) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0) fail("ask for the free space of", folder, errno);
  return static_cast<int64_t>(status.f_bavail) * static_cast<int64_t>(status.f_frsize);
}

}  // namespace pdl
