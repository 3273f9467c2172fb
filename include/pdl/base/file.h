// Reading files whole and writing them durably, on POSIX descriptors: short transfers and EINTR are
// handled, and every write, fsync, close and rename is checked. iostreams swallow such errors and
// are not used for data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace pdl {

// Reads a regular file whole into `content`. Returns "" or, if it could not, what is wrong with it
// as a phrase that follows the path, e.g. "is a folder", "Permission denied", "is larger than
// 1048576 bytes".
std::string try_read_file(const std::filesystem::path& path, std::string& content,
                          int64_t max_bytes = INT64_MAX);

// The same, a piece at a time: calls visit(bytes) for each, in order, without holding the file in
// memory.
std::string try_read_pieces(const std::filesystem::path& path,
                            const std::function<void(std::string_view bytes)>& visit);

// Opens a regular file for reading, without waiting for anything. Returns "" and sets `descriptor`,
// which the caller closes, and `size` in bytes; or a phrase as try_read_file() does.
std::string try_open_file(const std::filesystem::path& path, int& descriptor, int64_t& size);

// The content of a regular file; throws `Blame` (a subclass of Error) with "<what> '<path>' …" if
// it cannot be read.
template <class Blame>
std::string read_file(std::string_view what, const std::filesystem::path& path,
                      int64_t max_bytes = INT64_MAX) {
  std::string content;
  const std::string problem = try_read_file(path, content, max_bytes);
  if (!problem.empty()) {
    throw Blame(std::string(what) + " '" + path.string() + "' " + problem);
  }
  return content;
}

// A file that appears complete or not at all: written under a temporary name in the same folder;
// close() syncs it, gives it its name and syncs the folder. Without close() nothing is left. Every
// function throws StorageError.
class DurableFile {
 public:
  explicit DurableFile(const std::filesystem::path& path);
  ~DurableFile();
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;

  void write(std::string_view bytes);
  void close();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_path_;
  int descriptor_;
};

void write_file_durably(const std::filesystem::path& path, std::string_view content);

// A file that grows by whole lines; each append() reaches the kernel before it returns. Throws
// StorageError.
class AppendFile {
 public:
  // Keeps what the file holds and makes it if there is none.
  explicit AppendFile(const std::filesystem::path& path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  void append(std::string_view bytes);

 private:
  std::filesystem::path path_;
  int descriptor_;
};

// Makes the folder and its parents. Throws StorageError.
void make_folder(const std::filesystem::path& folder);

// Renames a folder and syncs its parent, so that the name survives a power cut. Throws
// StorageError.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace pdl
