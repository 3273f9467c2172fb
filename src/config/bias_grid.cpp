#include "pdl/config/bias_grid.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string_view>

#include "pdl/base/error.h"

namespace pdl {
namespace {

constexpr double kMostValues = 1001;

std::optional<double> read_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

// The three numbers; none if the text is not that.
std::optional<std::array<double, 3>> read_numbers(std::string_view text) {
  std::array<double, 3> numbers{};
  for (size_t i = 0; i < numbers.size(); ++i) {
    const size_t end = text.find(':');
    if ((end == std::string_view::npos) != (i + 1 == numbers.size())) return std::nullopt;
    const std::optional<double> number = read_number(text.substr(0, end));
    if (!number) return std::nullopt;
    numbers[i] = *number;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return numbers;
}

// Without the rounding error of LOW + i·STEP, which would be printed.
double as_decimal(double value, double step) {
  if (std::abs(value) < 1e-9 * step) return 0;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.12g", value);
  return read_number(text.data()).value();
}

}  // namespace

std::vector<double> parse_bias_grid(const std::string& text, const std::string& name) {
  if (text.empty()) return {};
  const auto numbers = read_numbers(text);
  const std::string place = name + " '" + text + "' ";
  if (!numbers) throw ConfigError(place + "is not LOW:HIGH:STEP, e.g. -1:1:0.125");
  const auto [low, high, step] = *numbers;
  if (step <= 0) throw ConfigError(place + "has a STEP that is not above 0");
  if (high < low) throw ConfigError(place + "has a HIGH below LOW");
  const double count = std::floor((high - low) / step + 1e-9) + 1;
  if (!(count <= kMostValues))
    throw ConfigError(place + "has more than 1,001 values; choose a larger STEP");
  std::vector<double> taus;
  for (double i = 0; i < count; ++i) taus.push_back(as_decimal(low + i * step, step));
  return taus;
}

}  // namespace pdl
