// Reads any bytes as a corpus file: as gzip, as Zstandard and as plain text.
#include <algorithm>

#include "corpus/byte_stream.h"
#include "fuzz_target.h"
#include "pdl/base/error.h"

namespace pdl {
namespace {

// A few kilobytes can decompress to gigabytes, so reading stops past every buffer of the readers.
constexpr size_t kMaxBytes = size_t{1} << 18;

struct Content {
  std::string bytes;
  std::string stored;  // what the observer received
  bool is_refused = false;
  bool is_complete = false;
};

Content read(const std::string& file, size_t step) {
  Content content;
  content.is_refused = !accepted<DataError>([&] {
    const auto stream =
        open_byte_stream(file, [&](std::string_view bytes) { content.stored += bytes; });
    std::string buffer(step, '\0');
    while (content.bytes.size() < kMaxBytes) {
      const size_t got = stream->read(buffer.data(), step);
      require(got <= step, "no more is read than there is room for");
      content.bytes.append(buffer, 0, got);
      content.is_complete = got == 0;
      if (content.is_complete) break;
    }
    return true;
  });
  return content;
}

void check_file(std::string_view name, std::string_view stored) {
  const std::string file = input_file(name, stored);
  const Content large = read(file, size_t{1} << 16);
  const Content small = read(file, 509);
  const size_t common = std::min(large.bytes.size(), small.bytes.size());
  require(large.bytes.compare(0, common, small.bytes, 0, common) == 0,
          "the content does not depend on how much is read at once");
  if (large.bytes.size() >= kMaxBytes || small.bytes.size() >= kMaxBytes) return;
  require(large.is_refused == small.is_refused && large.is_complete == small.is_complete,
          "neither does what is refused");
  if (!large.is_complete) return;
  require(large.bytes == small.bytes, "neither does where it ends");
  require(large.stored == stored && small.stored == stored, "the observer receives the file");
  require(!name.ends_with(".txt") || large.bytes == stored, "a plain file is its content");
}

}  // namespace
}  // namespace pdl

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pdl;
  for (const char* name : {"input.gz", "input.zst", "input.txt"}) {
    check_file(name, text_of(data, size));
  }
  return 0;
}
