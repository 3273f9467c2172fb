// Members of JSON values that may be missing or of another kind, which is no error here: a page is
// made of whatever can be read.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pdl/base/json.h"

namespace pdl::report {

// nullptr: `value` is no object or has no such member.
inline const JsonValue* find(const JsonValue& value, std::string_view key) {
  for (size_t i = 0; i < value.keys().size(); ++i) {
    if (value.keys()[i] == key) return &value.items()[i];
  }
  return nullptr;
}

inline std::optional<double> number(const JsonValue& value, std::string_view key) {
  const JsonValue* member = find(value, key);
  if (member == nullptr || !member->is_number()) return std::nullopt;
  const double result = member->number();
  return std::isfinite(result) ? std::optional(result) : std::nullopt;
}

inline std::optional<int64_t> integer(const JsonValue& value, std::string_view key) {
  const JsonValue* member = find(value, key);
  if (member == nullptr || !member->is(JsonValue::Kind::kInteger)) return std::nullopt;
  return member->integer();
}

// "" if there is no such string.
inline std::string text(const JsonValue& value, std::string_view key) {
  const JsonValue* member = find(value, key);
  return member != nullptr && member->is_string() ? member->text() : "";
}

}  // namespace pdl::report
