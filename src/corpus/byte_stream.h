// The bytes of a corpus file from its start to its end, decompressed on the way, in bounded memory
// however large the file is.
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

  // Writes up to `size` (> 0) bytes to `to` and returns how many; fewer do not mean the end, 0
  // does. Throws DataError with the file, and with the byte of the compressed file, for one that
  // cannot be read, is truncated or damaged, or has anything else behind its end.
  virtual size_t read(char* to, size_t size) = 0;
};

// Receives the bytes of the file as they are stored, compressed if it is: each once, in order, and
// all of them by the time that read() returns 0. So a file is hashed while it is read.
using StoredBytesObserver = std::function<void(std::string_view bytes)>;

// Opens a regular file, or standard input for "-". The name tells the compression:
//   .gz   gzip (RFC 1952), one member or several one after the other
//   .zst  Zstandard (RFC 8878), one frame or several, skippable frames are skipped; a frame that
//   needs a
//         window of more than 128 MiB is refused, so that no file decides how much memory is used
//   else  the bytes as they are
// Throws DataError if the file does not exist, is no regular file, or cannot be opened.
std::unique_ptr<ByteStream> open_byte_stream(const std::string& file,
                                             StoredBytesObserver on_stored_bytes = {});

}  // namespace pdl
