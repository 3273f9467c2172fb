#include "raw_value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "value_check.h"

namespace pdl {
namespace {

Conversion checked(const ConfigKey& key, const ConfigValue& value) {
  std::string problem = value_problem(key, value);
  if (!problem.empty()) return {std::nullopt, std::move(problem)};
  return {value, ""};
}

Conversion refused(const ConfigKey& key, const std::string& text) {
  return {std::nullopt, text + " is not allowed; must be " + allowed_values(key)};
}

Conversion out_of_range(const ConfigKey& key, const std::string& text) {
  return {std::nullopt, text + " is out of range; must be " + allowed_values(key)};
}

bool is_list(const ConfigKey& key) {
  return key.kind == KeyKind::kStringList || key.kind == KeyKind::kPathList;
}

bool has_choice(const ConfigKey& key, const std::string& word) {
  return std::find(key.choices.begin(), key.choices.end(), word) != key.choices.end();
}

std::vector<std::string> list_of_one(const std::string& text) {
  return text.empty() ? std::vector<std::string>{} : std::vector<std::string>{text};
}

// Rejects trailing characters too.
template <class Number>
std::errc parse_number(const std::string& text, Number& number) {
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number);
  if (result.ec == std::errc{} && result.ptr != end) return std::errc::invalid_argument;
  return result.ec;
}

template <class Number>
Conversion convert_number(const ConfigKey& key, const std::string& text) {
  Number number{};
  const std::errc error = parse_number(text, number);
  if (error == std::errc::result_out_of_range) {
    return out_of_range(key, shown(text));
  }
  // from_chars reads "nan" and "inf", too.
  if (error != std::errc{} || !std::isfinite(static_cast<double>(number))) {
    return refused(key, shown(text));
  }
  return checked(key, number);
}

}  // namespace

Conversion convert_json(const ConfigKey& key, const JsonEntry& entry) {
  if (!entry.value) return refused(key, entry.text);
  const ConfigValue& value = *entry.value;
  const auto* text = std::get_if<std::string>(&value);
  switch (key.kind) {
    case KeyKind::kBool:
      if (std::holds_alternative<bool>(value)) return {value, ""};
      break;
    case KeyKind::kInteger:
      if (std::holds_alternative<int64_t>(value)) return checked(key, value);
      if (std::holds_alternative<double>(value) &&
          entry.text.find_first_of(".eE") == std::string::npos) {
        return out_of_range(key, entry.text);
      }
      break;
    case KeyKind::kNumber:
      if (std::holds_alternative<double>(value)) return checked(key, value);
      if (const auto* integer = std::get_if<int64_t>(&value)) {
        return checked(key, static_cast<double>(*integer));
      }
      break;
    case KeyKind::kChoice:
      if (const auto* truth = std::get_if<bool>(&value)) {
        const std::string word = *truth ? "true" : "false";
        if (has_choice(key, word)) return {word, ""};
      }
      [[fallthrough]];
    case KeyKind::kString:
    case KeyKind::kPath:
      if (text != nullptr) return checked(key, value);
      break;
    case KeyKind::kStringList:
    case KeyKind::kPathList:
      if (text != nullptr) return checked(key, list_of_one(*text));
      if (std::holds_alternative<std::vector<std::string>>(value)) return checked(key, value);
      break;
  }
  return refused(key, entry.text);
}

Conversion convert_flag(const ConfigKey& key, const std::vector<std::string>& values) {
  if (is_list(key)) {
    return checked(key, values.size() == 1 ? list_of_one(values.front()) : values);
  }
  if (values.size() != 1) {
    return {std::nullopt, "is given " + std::to_string(values.size()) + " values; give one"};
  }
  const std::string& text = values.front();
  switch (key.kind) {
    case KeyKind::kBool:
      if (text == "true" || text == "false") return {ConfigValue(text == "true"), ""};
      return refused(key, shown(text));
    case KeyKind::kInteger:
      return convert_number<int64_t>(key, text);
    case KeyKind::kNumber:
      return convert_number<double>(key, text);
    default:
      return checked(key, text);
  }
}

}  // namespace pdl
