// A .npy file of token ids.
#include <algorithm>
#include <memory>
#include <vector>

#include "corpus/npy.h"
#include "fuzz_target.h"
#include "pdl/base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pdl;
  const std::string path = input_file("ids.npy", text_of(data, size));
  const auto opened = accepted<DataError>([&] { return std::make_unique<TokenFile>(path); });
  if (!opened) return 0;
  const TokenFile& file = **opened;
  require(file.stored_bytes() == text_of(data, size), "the stored bytes are the file");
  std::vector<int32_t> all(static_cast<size_t>(file.size()));
  const auto copy = [&](int64_t begin, std::span<int32_t> to) {
    return accepted<DataError>([&] {
      file.copy(begin, to);
      return true;
    });
  };
  if (!copy(0, all)) return 0;
  require(std::all_of(all.begin(), all.end(), [](int32_t id) { return id >= 0; }),
          "ids are not negative");
  const size_t half = all.size() / 2;
  std::vector<int32_t> rest(all.size() - half);
  require(copy(static_cast<int64_t>(half), rest).has_value() &&
              std::equal(rest.begin(), rest.end(), all.begin() + static_cast<ptrdiff_t>(half)),
          "a part holds what the whole holds");
  return 0;
}
