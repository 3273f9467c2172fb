// What tells whether a file's content is the one that is meant.
#pragma once

#include <cstdint>
#include <string>

namespace pdl {

struct FileDigest {
  int64_t size = 0;  // bytes
  std::string sha256;
  bool operator==(const FileDigest&) const = default;
};

}  // namespace pdl
