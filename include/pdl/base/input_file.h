// A regular file that is read at any place, of any size. It is not mapped into memory: if the file
// becomes shorter meanwhile, or the disk fails, read() says so, where touching a mapping would end
// the process (SIGBUS).
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

  // Opens a file, once. Returns "" or, if it could not, a phrase as try_read_file() does.
  std::string try_open(const std::filesystem::path& path);

  // Bytes that the file had when it was opened.
  int64_t size() const { return size_; }

  // Fills `to` with the bytes from `offset` on. Returns "" or a phrase, as try_open() does.
  std::string try_read(int64_t offset, std::span<char> to) const;

 private:
  int descriptor_ = -1;
  int64_t size_ = 0;
};

}  // namespace pdl
