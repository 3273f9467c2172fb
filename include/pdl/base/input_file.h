// Reads a regular file of any size at any offset. The file is not mapped into memory: if it becomes
// shorter meanwhile, or the disk fails, try_read() says so, where touching a mapping would end the
// process (SIGBUS).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace pdl {

// Movable. Several threads may read at once.
class InputFile {
 public:
  InputFile() = default;
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;

  // Opens a file; to be called once. Returns "" or, if that fails, a phrase as try_read_file()
  // does.
  std::string try_open(const std::filesystem::path& path);

  // The size in bytes when the file was opened.
  int64_t size() const { return size_; }

  // Fills `to` with the bytes from `offset`. Returns "" or a phrase, as try_open() does.
  std::string try_read(int64_t offset, std::span<char> to) const;

 private:
  int descriptor_ = -1;
  int64_t size_ = 0;
};

}  // namespace pdl
