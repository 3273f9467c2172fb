#include <algorithm>
#include <array>

#include "pdl/base/json.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

std::string name_of(JsonValue::Kind kind) {
  constexpr std::array<const char*, 7> kNames = {"null",     "a boolean", "an integer", "a number",
                                                 "a string", "a list",    "an object"};
  return kNames.at(static_cast<size_t>(kind));
}

bool is_integer_in(const JsonValue& value, int64_t min, int64_t max) {
  return value.is(JsonValue::Kind::kInteger) && value.integer() >= min && value.integer() <= max;
}

std::string not_an_integer_in(const JsonValue& value, int64_t min, int64_t max) {
  return "is " + describe(value) + ", not an integer from " + std::to_string(min) + " to " +
         std::to_string(max);
}

}  // namespace

std::string describe(const JsonValue& value) {
  if (value.is(JsonValue::Kind::kInteger)) return std::to_string(value.integer());
  if (value.is(JsonValue::Kind::kReal)) return printable(value.text());
  if (value.is(JsonValue::Kind::kBoolean)) return value.boolean() ? "true" : "false";
  return value.is_string() ? "\"" + printable(value.text()) + "\"" : name_of(value.kind());
}

void JsonBlame::fail(const std::string& phrase) const {
  std::rethrow_exception(make_error_(begin_ + phrase));
}

ObjectReader::ObjectReader(const JsonValue& value, JsonBlame blame, std::string place)
    : value_(value),
      blame_(std::move(blame)),
      place_(std::move(place)),
      is_known_(value.keys().size()) {
  if (!value.is(JsonValue::Kind::kObject)) {
    fail("is " + name_of(value.kind()) + ", not an object");
  }
  std::vector<std::string_view> names(value.keys().begin(), value.keys().end());
  std::sort(names.begin(), names.end());
  const auto repeated = std::adjacent_find(names.begin(), names.end());
  if (repeated != names.end()) fail_at(*repeated, "is given twice");
}

const JsonValue* ObjectReader::find_any(std::string_view key) {
  const auto found = std::find(value_.keys().begin(), value_.keys().end(), key);
  if (found == value_.keys().end()) return nullptr;
  const auto index = static_cast<size_t>(found - value_.keys().begin());
  is_known_[index] = true;
  return &value_.items()[index];
}

bool ObjectReader::has(std::string_view key) { return find_any(key) != nullptr; }

const JsonValue* ObjectReader::find(std::string_view key) {
  const JsonValue* value = find_any(key);
  return value == nullptr || value->is(JsonValue::Kind::kNull) ? nullptr : value;
}

void ObjectReader::finish() const {
  for (size_t i = 0; i < is_known_.size(); ++i) {
    if (!is_known_[i]) fail_at(value_.keys()[i], "is not supported");
  }
}

std::vector<std::pair<std::string, const JsonValue*>> ObjectReader::unasked() const {
  std::vector<std::pair<std::string, const JsonValue*>> members;
  for (size_t i = 0; i < is_known_.size(); ++i) {
    if (!is_known_[i]) members.emplace_back(value_.keys()[i], &value_.items()[i]);
  }
  return members;
}

const JsonValue& ObjectReader::required(std::string_view key) {
  const JsonValue* value = find_any(key);
  if (value == nullptr) fail_at(key, "is missing");
  return *value;
}

const JsonValue& ObjectReader::required(std::string_view key, JsonValue::Kind kind) {
  const JsonValue& value = required(key);
  if (!value.is(kind)) fail_at(key, "is " + name_of(value.kind()) + ", not " + name_of(kind));
  return value;
}

const std::string& ObjectReader::string(std::string_view key) {
  return required(key, JsonValue::Kind::kString).text();
}

bool ObjectReader::boolean(std::string_view key) {
  return required(key, JsonValue::Kind::kBoolean).boolean();
}

double ObjectReader::number(std::string_view key) {
  const JsonValue& value = required(key);
  if (!value.is_number()) fail_at(key, "is " + name_of(value.kind()) + ", not a number");
  return value.number();
}

std::vector<double> ObjectReader::numbers(std::string_view key) {
  const std::vector<JsonValue>& items = required(key, JsonValue::Kind::kArray).items();
  std::vector<double> numbers;
  numbers.reserve(items.size());
  for (const JsonValue& item : items) {
    if (!item.is_number()) {
      fail_at(element_place(key, numbers.size()), "is " + name_of(item.kind()) + ", not a number");
    }
    numbers.push_back(item.number());
  }
  return numbers;
}

int64_t ObjectReader::integer(std::string_view key, int64_t min, int64_t max) {
  const JsonValue& value = required(key);
  if (!is_integer_in(value, min, max)) fail_at(key, not_an_integer_in(value, min, max));
  return value.integer();
}

std::vector<int64_t> ObjectReader::integers(std::string_view key, int64_t min, int64_t max) {
  const std::vector<JsonValue>& items = required(key, JsonValue::Kind::kArray).items();
  std::vector<int64_t> integers;
  integers.reserve(items.size());
  for (const JsonValue& item : items) {
    if (!is_integer_in(item, min, max)) {
      fail_at(element_place(key, integers.size()), not_an_integer_in(item, min, max));
    }
    integers.push_back(item.integer());
  }
  return integers;
}

ObjectReader ObjectReader::object(std::string_view key) {
  return ObjectReader(required(key), blame_, place_of(key));
}

bool ObjectReader::boolean_or(std::string_view key, bool fallback) {
  return find(key) == nullptr ? fallback : boolean(key);
}

std::string ObjectReader::string_or_empty(std::string_view key) {
  return find(key) == nullptr ? "" : string(key);
}

void ObjectReader::fail(const std::string& why) const {
  blame_.fail((place_.empty() ? blame_.subject() : place_) + " " + why);
}

void ObjectReader::fail_at(std::string_view key, const std::string& why) const {
  blame_.fail(place_of(key) + " " + why);
}

std::string ObjectReader::place_of(std::string_view key) const {
  return (place_.empty() ? "" : place_ + ".") + printable(key);
}

std::string element_place(std::string_view place, size_t index) {
  return std::string(place) + "[" + std::to_string(index) + "]";
}

}  // namespace pdl
