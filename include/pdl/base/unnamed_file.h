// A file that has no name until it is complete. If the process ends before that, nothing is left.
#pragma once

#include <filesystem>
#include <string_view>

namespace pdl {

// Every function throws StorageError.
class UnnamedFile {
 public:
  // Creates the file in the file system of `folder`, which must exist. Where that system has no
  // files without a name, the file gets a hidden temporary name, which the destructor removes.
  explicit UnnamedFile(const std::filesystem::path& folder);
  ~UnnamedFile();
  UnnamedFile(const UnnamedFile&) = delete;
  UnnamedFile& operator=(const UnnamedFile&) = delete;

  // Appends to the file.
  void write(std::string_view bytes);
  int descriptor() const { return descriptor_; }
  // Syncs the file and gives it the name `path` in the same file system, replacing a file of that
  // name.
  void publish(const std::filesystem::path& path);

 private:
  std::filesystem::path path_;  // for messages; the temporary name, if there is one
  bool has_name_ = false;
  int descriptor_ = -1;
};

// A file's content in memory, read when it is touched.
class MappedFile {
 public:
  // Maps the whole of an open file, which may be closed afterwards. `path` is for messages.
  MappedFile(int descriptor, const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // Valid as long as the object.
  std::string_view content() const;

 private:
  void* address_ = nullptr;
  size_t size_ = 0;
};

}  // namespace pdl
