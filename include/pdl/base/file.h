// Reads files whole and writes them durably, on POSIX descriptors. Short transfers and EINTR are
// handled, and every write, fsync, close and rename is checked. iostreams are not used for data
// because they swallow such errors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace pdl {

// Reads a regular file whole into `content`. Returns "" or, if that fails, what is wrong as a
// phrase that follows the path, e.g. "is a folder", "Permission denied", "is larger than 1048576
// bytes".
std::string try_read_file(const std::filesystem::path& path, std::string& content,
                          int64_t max_bytes = INT64_MAX);

// Reads a regular file in pieces, without holding all of it in memory: calls visit(bytes) for each
// piece, in order. Returns as try_read_file() does.
std::string try_read_pieces(const std::filesystem::path& path,
                            const std::function<void(std::string_view bytes)>& visit);

// Opens a regular file for reading, without blocking. Returns "" and sets `descriptor`, which the
// caller closes, and `size` in bytes; or sets `descriptor` to -1 and returns a phrase as
// try_read_file() does.
std::string try_open_file(const std::filesystem::path& path, int& descriptor, int64_t& size);

// Returns the content of a regular file. Throws `Blame` (a subclass of Error) with "<what> '<path>'
// …" if it cannot be read.
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

// A new file, written under its own name, which must be free, and synced by close(). Without
// close() it is removed again. Every function throws StorageError.
class NewFile {
 public:
  // Errors name `shown`, if given: the path that the user knows the file by.
  explicit NewFile(const std::filesystem::path& path, const std::filesystem::path& shown = {});
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  // Appends to what was written so far.
  void write(std::string_view bytes);
  // Syncs the file, which then stays. To be called once, after the last write().
  void close();

 private:
  std::filesystem::path path_;
  std::filesystem::path shown_;
  int descriptor_;
};

// The prefix of files and folders that are being written or removed. What a process that died has
// left under such a name may be deleted.
inline constexpr std::string_view kTemporaryPrefix = ".tmp-";

// A file that appears complete or not at all. It is written under a temporary name in the same
// folder; close() syncs it, gives it its name and syncs the folder. Without close() nothing is
// left. Every function throws StorageError.
class DurableFile {
 public:
  explicit DurableFile(const std::filesystem::path& path);

  // Appends to what was written so far.
  void write(std::string_view bytes) { file_.write(bytes); }
  void close();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_path_;
  NewFile file_;
};

// Writes a file as DurableFile does: it holds `content` or what it held before. Throws
// StorageError.
void write_file_durably(const std::filesystem::path& path, std::string_view content);

// A file that grows by whole lines; each append() reaches the kernel before it returns. Throws
// StorageError.
class AppendFile {
 public:
  // Keeps what the file holds; creates the file if there is none.
  explicit AppendFile(const std::filesystem::path& path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  // `bytes` are whole lines.
  void append(std::string_view bytes);

 private:
  std::filesystem::path path_;
  int descriptor_;
};

// The functions below throw StorageError.

// Creates the folder and those above it that are missing, and syncs the name of each.
void make_folder(const std::filesystem::path& folder);

// Syncs the names in a folder.
void sync_folder(const std::filesystem::path& folder);

// Syncs what any process has written to the file so far.
void sync_file(const std::filesystem::path& path);

// Renames a file or folder and syncs its parent, so that the name survives a power cut.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

// Renames a folder to `to`, in the same folder, and removes the one that had this name. At every
// moment one of the two has it, but on a file system that cannot exchange names (RENAME_EXCHANGE):
// there a process that dies between two renames leaves both under temporary names.
//
// When it throws, `to` is what it was or, if only a sync or the removal failed, the new folder.
// What is still there as `from` may be removed.
void replace_folder_durably(const std::filesystem::path& from, const std::filesystem::path& to);

// Replaces `folder` as a whole, or makes it: write(unfinished) fills it under a temporary name.
// When something throws, nothing is left of that; what a killed process has left, the next call for
// this folder removes.
void replace_folder(const std::filesystem::path& folder,
                    const std::function<void(const std::filesystem::path& unfinished)>& write);

// Removes a file, or a folder with all that is in it. A folder gets a temporary name first, so that
// nobody takes what is left of it for the whole. A path that does not exist is no error.
void remove_durably(const std::filesystem::path& path);

// Removes files and folders with a temporary name from `folder`, which need not exist.
void remove_temporaries(const std::filesystem::path& folder);

// Bytes that an ordinary user can still write in the file system of `folder`.
int64_t free_bytes(const std::filesystem::path& folder);

}  // namespace pdl
