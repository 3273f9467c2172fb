// The header of a safetensors file.
#include <algorithm>

#include "fuzz_target.h"
#include "pdl/base/error.h"
#include "pdl/safetensors/header.h"

namespace pdl {
namespace {

// Exactly the data of the file, in order.
void check_cover(const std::vector<SafetensorsEntry>& entries, std::string_view file) {
  const int64_t data_begin = safetensors_data_begin(file);
  int64_t covered = 0;
  for (const SafetensorsEntry& entry : entries) {
    int64_t bytes = safetensors_element_bytes(entry.dtype);
    for (const int64_t length : entry.shape) bytes *= length;
    require(entry.begin_bytes == covered, "an entry begins where the one before ends");
    require(entry.end_bytes - entry.begin_bytes == bytes, "an entry is as long as its shape says");
    covered = entry.end_bytes;
  }
  require(data_begin + covered == static_cast<int64_t>(file.size()), "the entries are the data");
  const std::string_view header = file.substr(8, static_cast<size_t>(data_begin) - 8);
  require(header.find('\0') == std::string_view::npos, "nothing hides behind the header's JSON");
}

bool same(const SafetensorsEntry& one, const SafetensorsEntry& other) {
  return one.name == other.name && one.dtype == other.dtype && one.shape == other.shape &&
         one.begin_bytes == other.begin_bytes && one.end_bytes == other.end_bytes;
}

}  // namespace
}  // namespace pdl

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pdl;
  const std::string_view file = text_of(data, size);
  const auto entries =
      accepted<CheckpointError>([&] { return decode_safetensors_header(file, "model"); });
  if (!entries) return 0;
  check_cover(*entries, file);
  std::vector<SafetensorsEntry> written = *entries;
  std::string again = encode_safetensors_header(written);
  again += file.substr(static_cast<size_t>(safetensors_data_begin(file)));
  const std::vector<SafetensorsEntry> read = decode_safetensors_header(again, "again");
  require(std::equal(read.begin(), read.end(), entries->begin(), entries->end(), same),
          "entries read back as they were written");
  return 0;
}
