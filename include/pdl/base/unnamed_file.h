// A file that has no name until it is complete: whatever ends the process before, nothing is left.
#pragma once

#include <filesystem>
#include <string_view>

namespace pdl {

// Every function throws StorageError.
class UnnamedFile {
 public:
  // In the file system of `folder`, which exists. Where that cannot make files without a name, the
  // file has a hidden temporary one, which the destructor removes.
  explicit UnnamedFile(const std::filesystem::path& folder);
  ~UnnamedFile();
  UnnamedFile(const UnnamedFile&) = delete;
  UnnamedFile& operator=(const UnnamedFile&) = delete;

  void write(std::string_view bytes);
  int descriptor() const { return descriptor_; }
  // Syncs the file and gives it a name, in the same file system; what had that name is replaced.
  void publish(const std::filesystem::path& path);

 private:
  std::filesystem::path path_;  // for messages; the temporary name, if it has one
  bool has_name_ = false;
  int descriptor_ = -1;
};

// A file's content in memory, read when it is touched.
class MappedFile {
 public:
  // The whole of an open file, which may be closed afterwards. `path` is for messages.
  MappedFile(int descriptor, const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view content() const;

 private:
  void* address_ = nullptr;
  size_t size_ = 0;
};

}  // namespace pdl
