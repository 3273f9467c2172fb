#include "pdl/base/text_format.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>

namespace pdl {
namespace {

std::string to_text(double value, std::chars_format format, int digits) {
  std::array<char, 400> buffer{};  // room for 1e308 without exponent
  const auto result =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format, digits);
  return std::string(buffer.data(), result.ptr);
}

}  // namespace

std::string fixed(double value, int digits) {
  return to_text(value, std::chars_format::fixed, digits);
}

std::string significant(double value, int digits) {
  return to_text(value, std::chars_format::general, digits);
}

std::string shortest_decimal(double value) {
  // Where Python changes to an exponent.
  const double size = std::abs(value);
  const bool is_plain = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto format = is_plain ? std::chars_format::fixed : std::chars_format::scientific;
  std::array<char, 32> buffer{};
  const auto result =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value == 0 ? 0 : value, format);
  return {buffer.data(), result.ptr};
}

std::string grouped(int64_t value) {
  std::string text = std::to_string(value);
  const std::ptrdiff_t first_digit = value < 0 ? 1 : 0;
  for (std::ptrdiff_t i = std::ssize(text) - 3; i > first_digit; i -= 3) {
    text.insert(static_cast<size_t>(i), ",");
  }
  return text;
}

std::string grouped(double value) {
  constexpr double kExact = 9e15;
  return std::abs(value) < kExact ? grouped(static_cast<int64_t>(std::llround(value)))
                                  : significant(value, 4);
}

std::string duration(double seconds) {
  constexpr double kCentury = 3.2e9;
  if (!(seconds >= 0 && seconds < kCentury)) {
    return "?";
  }
  const int64_t whole = std::llround(seconds);
  if (whole < 60) {
    return std::to_string(whole) + " s";
  }
  if (whole < 3600) {
    return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  }
  return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

std::string percent(double share) { return fixed(100 * share, 1) + " %"; }

std::string escape_markup(std::string_view text) {
  std::string escaped;
  for (const char character : text) {
    switch (character) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += character;
    }
  }
  return escaped;
}

}  // namespace pdl
