#include "byte_level.h"

#include <array>
#include <unordered_map>

#include "pdl/pattern/character.h"

namespace pdl::tokenizer_json {
namespace {

// Printable Latin-1 characters stand for themselves; the other bytes, in order, for U+0100 and on.
std::array<char32_t, 256> make_alphabet() {
  std::array<char32_t, 256> alphabet{};
  char32_t next = 0x100;
  for (size_t byte = 0; byte < alphabet.size(); ++byte) {
    const bool is_printable = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) ||
                              (byte >= 0xae && byte <= 0xff);
    alphabet[byte] = is_printable ? static_cast<char32_t>(byte) : next++;
  }
  return alphabet;
}

const std::array<char32_t, 256>& alphabet() {
  static const std::array<char32_t, 256> characters = make_alphabet();
  return characters;
}

const std::unordered_map<char32_t, char>& byte_of_character() {
  static const std::unordered_map<char32_t, char> bytes = [] {
    std::unordered_map<char32_t, char> map;
    for (size_t byte = 0; byte < 256; ++byte) map[alphabet()[byte]] = static_cast<char>(byte);
    return map;
  }();
  return bytes;
}

}  // namespace

std::string byte_character(unsigned char byte) {
  std::string written;
  append_utf8(alphabet()[byte], written);
  return written;
}

std::optional<std::string> bytes_of(std::string_view written) {
  std::string bytes;
  for (size_t at = 0; at < written.size();) {
    const auto found = byte_of_character().find(next_character(written, at));
    if (found == byte_of_character().end()) return std::nullopt;
    bytes += found->second;
  }
  return bytes;
}

}  // namespace pdl::tokenizer_json
