// Size and hash of a file, by which its content is verified.
#pragma once

#include <cstdint>
#include <string>

namespace pdl {

// Size and hash of a file's content, by which damage is seen.
struct FileDigest {
  int64_t size = 0;  // bytes
  std::string sha256;
  bool operator==(const FileDigest&) const = default;
};

}  // namespace pdl
