// Reads a corpus file as stored, i.e. without decompressing it. Private to the module.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "byte_stream.h"

namespace pdl {

// Owns the descriptor of a regular file, or uses that of standard input ("-").
class StoredBytes {
 public:
  // Throws DataError if the file cannot be opened or is not a regular file.
  StoredBytes(std::string file, StoredBytesObserver observer);
  ~StoredBytes();
  StoredBytes(const StoredBytes&) = delete;
  StoredBytes& operator=(const StoredBytes&) = delete;

  // Reads at least one byte unless the file has ended. Throws DataError.
  size_t read(char* to, size_t size);

  // Throws DataError with "file '<file>' <problem>".
  [[noreturn]] void fail(const std::string& problem) const;

 private:
  std::string file_;
  StoredBytesObserver observer_;
  bool is_standard_input_;
  int descriptor_;
  int64_t remaining_ = INT64_MAX;  // bytes of a regular file, without any appended later
};

}  // namespace pdl
