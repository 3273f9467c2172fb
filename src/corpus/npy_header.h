// The header of a NumPy file. Private to the module.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pdl {

struct NpyHeader {
  std::string descr;           // the dtype as written, e.g. "<u2"
  std::vector<int64_t> shape;  // >= 0
  size_t data_offset = 0;      // bytes before the array
};

// Reads the header of format 1.0, 2.0 or 3.0 from the first bytes of a file; bytes past 64 KiB are
// not used, so a longer header is an error. Throws DataError with a phrase that follows the file's
// name and tells the byte.
NpyHeader read_npy_header(std::string_view bytes);

}  // namespace pdl
