#include "json_document.h"

#include <cstdlib>
#include <string>

namespace pdl::tokenizer_json {
namespace {

// A million tokens with a million merges, written as pairs, are four million values.
constexpr JsonRules kRules = {.max_depth = 32, .max_values = size_t{1} << 22};

// The digits of a number and its power of ten. Digits that do not fit in 64 bits are dropped.
struct Decimal {
  uint64_t digits = 0;
  int64_t exponent = 0;
};

Decimal read_decimal(std::string_view text) {
  Decimal decimal;
  bool is_fraction = false;
  bool is_full = false;
  size_t at = 0;
  for (; at < text.size() && text[at] != 'e' && text[at] != 'E'; ++at) {
    if (text[at] == '.') {
      is_fraction = true;
      continue;
    }
    const auto digit = static_cast<uint64_t>(text[at] - '0');
    is_full = is_full || decimal.digits > (UINT64_MAX - digit) / 10;
    if (is_full) {
      decimal.exponent += is_fraction ? 0 : 1;
    } else {
      decimal.digits = decimal.digits * 10 + digit;
      decimal.exponent -= is_fraction ? 1 : 0;
    }
  }
  if (at < text.size()) {
    decimal.exponent += std::strtoll(std::string(text.substr(at + 1)).c_str(), nullptr, 10) %
                        1'000'000;  // far outside what a double holds
  }
  return decimal;
}

double power_of_ten(int64_t exponent) {
  return std::strtod(("1e" + std::to_string(exponent)).c_str(), nullptr);
}

}  // namespace

JsonValue parse_document(std::string_view text, const JsonBlame& blame) {
  JsonValue root;
  const JsonProblem problem = try_parse_json(text, kRules, root);
  if (problem.kind == JsonProblem::Kind::kNotJson) {
    blame.fail("it " + problem.phrase() + "; take the file from its source again");
  }
  if (problem) blame.fail("it " + problem.phrase());
  return root;
}

double score_of(const JsonValue& number) {
  if (number.is(JsonValue::Kind::kInteger)) return static_cast<double>(number.integer());
  std::string_view text = number.text();
  const bool is_negative = text.front() == '-';
  if (is_negative) text.remove_prefix(1);
  Decimal decimal = read_decimal(text);
  auto value = static_cast<double>(decimal.digits);
  constexpr int64_t kLargest = 308;
  for (; decimal.exponent < -kLargest && value != 0; decimal.exponent += kLargest) value /= 1e308;
  if (decimal.exponent < 0) {
    value = value == 0 ? 0 : value / power_of_ten(-decimal.exponent);
  } else {
    value = value == 0 ? 0 : value * power_of_ten(decimal.exponent);
  }
  return is_negative ? -value : value;
}

}  // namespace pdl::tokenizer_json
