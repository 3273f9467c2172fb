// The header of a safetensors file.
#include <algorithm>

#include "fuzz_target.h"
#include "pdl/safetensors/header.h"

namespace pdl {
namespace {

// Exactly the data of the file, in order.
void check_cover(const SafetensorsHeader& header, std::string_view file) {
  int64_t covered = 0;
  for (const SafetensorsEntry& entry : header.entries) {
    int64_t elements = 1;
    for (const int64_t length : entry.shape) elements *= length;
    if (entry.part) {
      const auto [begin, end] = *entry.part;
      require(0 <= begin && begin <= end && end <= elements, "a part is inside its tensor");
      elements = end - begin;
    }
    const int64_t bytes = elements * safetensors_element_bytes(entry.dtype);
    require(entry.begin_bytes == covered, "an entry begins where the one before ends");
    require(entry.end_bytes - entry.begin_bytes == bytes, "an entry is as long as its shape says");
    covered = entry.end_bytes;
  }
  require(header.data_begin + covered == std::ssize(file), "the entries are the data");
  const std::string_view text = file.substr(8, static_cast<size_t>(header.data_begin) - 8);
  require(text.find('\0') == std::string_view::npos, "nothing hides after the header's JSON");
}

bool same(const SafetensorsEntry& one, const SafetensorsEntry& other) {
  return one.name == other.name && one.dtype == other.dtype && one.shape == other.shape &&
         one.part == other.part && one.begin_bytes == other.begin_bytes &&
         one.end_bytes == other.end_bytes;
}

}  // namespace
}  // namespace pdl

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pdl;
  const std::string_view file = text_of(data, size);
  SafetensorsHeader header;
  const std::string problem = try_decode_safetensors_header(file, std::ssize(file), header);
  if (!problem.empty()) return 0;
  check_cover(header, file);
  std::vector<SafetensorsEntry> written = header.entries;
  std::string again = encode_safetensors_header(written);
  again += file.substr(static_cast<size_t>(header.data_begin));
  SafetensorsHeader read;
  require(try_decode_safetensors_header(again, std::ssize(again), read).empty(),
          "what is written can be read");
  require(std::equal(read.entries.begin(), read.entries.end(), header.entries.begin(),
                     header.entries.end(), same),
          "entries read back as they were written");
  return 0;
}
