// Loads a tokenizer.json and encodes two texts: a sample, and the start of the file itself, which
// holds the tokens.
#include "pdl/base/unicode.h"
#include "tokenizer_checks.h"

namespace pdl {
namespace {

// Returns the start of well-formed UTF-8 `text`, cut between characters.
std::string_view begin_of(std::string_view text, size_t size) {
  if (text.size() <= size) return text;
  while ((static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

}  // namespace
}  // namespace pdl

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pdl;
  const std::string_view file = text_of(data, size);
  const std::string path = input_file("tokenizer.json", file);
  const auto tokenizer = accepted<ModelError>([&] { return load_tokenizer(path); });
  if (!tokenizer) return 0;
  require(find_invalid_utf8(file) == std::string_view::npos, "an accepted file is UTF-8");
  require(file.find('\0') == std::string_view::npos, "nothing hides after the JSON");
  constexpr size_t kMaxBytes = 400;
  check_texts(**tokenizer, begin_of(file, kMaxBytes));
  return 0;
}
