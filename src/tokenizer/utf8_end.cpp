#include "utf8_end.h"

#include <unicode/utf8.h>

#include <cstdint>

namespace pdl {

size_t size_of_incomplete_end(std::string_view bytes) {
  const auto* begin = reinterpret_cast<const uint8_t*>(bytes.data());
  const auto size = static_cast<int64_t>(bytes.size());
  int64_t complete = size;
  U8_TRUNCATE_IF_INCOMPLETE(begin, 0, complete);
  return static_cast<size_t>(size - complete);
}

}  // namespace pdl
