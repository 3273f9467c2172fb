#include "wide_encoding.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace pdl {
namespace {

constexpr size_t kMinUnits = 2;
// Of those with characters of scripts. A higher one may be a line end in UTF-16.
constexpr unsigned char kLastPlane = 3;

// Of the bytes at one place of each unit.
struct Bytes {
  size_t all = 0;
  size_t nul = 0;
  size_t low = 0;  // below 0x20, NUL included
  unsigned char largest = 0;
};

Bytes bytes_at(std::string_view text, size_t place, size_t unit_bytes) {
  Bytes bytes;
  for (size_t at = place; at < text.size() / unit_bytes * unit_bytes; at += unit_bytes) {
    const auto byte = static_cast<unsigned char>(text[at]);
    ++bytes.all;
    bytes.nul += byte == 0 ? 1 : 0;
    bytes.low += byte < 0x20 ? 1 : 0;
    bytes.largest = std::max(bytes.largest, byte);
  }
  return bytes;
}

bool are_halves_of_utf16(const Bytes& high, const Bytes& low) {
  return high.all >= kMinUnits && 4 * high.low >= 3 * high.all && 32 * high.nul >= high.all &&
         8 * low.nul <= high.nul;
}

// `first` are the most significant bytes.
bool are_quarters_of_utf32(const Bytes& first, const Bytes& second, const Bytes& third,
                           const Bytes& fourth) {
  const bool is_zero = second.largest == 0 && third.largest == 0 && fourth.largest == 0;
  return first.all >= kMinUnits && first.largest == 0 && second.largest <= kLastPlane && !is_zero;
}

}  // namespace

std::string_view wide_encoding_of(std::string_view bytes) {
  using namespace std::string_view_literals;
  // The mark of UTF-32LE begins with that of UTF-16LE.
  if (bytes.starts_with("\xff\xfe\0\0"sv)) return "UTF-32LE";
  if (bytes.starts_with("\0\0\xfe\xff"sv)) return "UTF-32BE";
  if (bytes.starts_with("\xff\xfe"sv)) return "UTF-16LE";
  if (bytes.starts_with("\xfe\xff"sv)) return "UTF-16BE";
  if (bytes.find('\0') == std::string_view::npos) return "";
  std::array<Bytes, 4> quarters;
  for (size_t place = 0; place < 4; ++place) quarters[place] = bytes_at(bytes, place, 4);
  if (are_quarters_of_utf32(quarters[3], quarters[2], quarters[1], quarters[0])) return "UTF-32LE";
  if (are_quarters_of_utf32(quarters[0], quarters[1], quarters[2], quarters[3])) return "UTF-32BE";
  const Bytes even = bytes_at(bytes, 0, 2);
  const Bytes odd = bytes_at(bytes, 1, 2);
  if (are_halves_of_utf16(odd, even)) return "UTF-16LE";
  if (are_halves_of_utf16(even, odd)) return "UTF-16BE";
  return "";
}

}  // namespace pdl
