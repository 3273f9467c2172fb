// Reads a corpus file from start to end, decompressing it, in memory that does not depend on the
// file's size.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace pdl {

// For one thread at a time.
class ByteStream {
 public:
  virtual ~ByteStream() = default;

  // Writes up to `size` (> 0) bytes to `to` and returns how many. Fewer bytes do not mean the end;
  // 0 does. Throws DataError with the file, and with the byte of the compressed file, if it cannot
  // be read, is truncated or damaged, or has other bytes after its end.
  virtual size_t read(char* to, size_t size) = 0;
};

// Receives the bytes of the file as stored, i.e. compressed: each once, in order, and all of them
// before read() returns 0. It serves to hash a file while it is read.
using StoredBytesObserver = std::function<void(std::string_view bytes)>;

// Opens a regular file, or standard input for "-". The name decides the compression:
//   .gz   gzip (RFC 1952), one member or several one after the other
//   .zst  Zstandard (RFC 8878), one frame or several, skippable frames are skipped; a frame that
//   needs a
//         window of more than 128 MiB is refused, so that no file decides how much memory is used
//   else  the bytes as they are
// Throws DataError if the file does not exist, is not a regular file, or cannot be opened.
std::unique_ptr<ByteStream> open_byte_stream(const std::string& file,
                                             StoredBytesObserver on_stored_bytes = {});

}  // namespace pdl
