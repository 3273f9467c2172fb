#include "json_document.h"

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"

namespace pdl::tokenizer_json {
namespace {

constexpr size_t kMaxDepth = 32;
// A million tokens with a million merges, written as pairs, are four million values.
constexpr size_t kMaxValues = size_t{1} << 22;
constexpr size_t kMaxSettings = 100;

// Receives what nlohmann's parser reads and makes the tree of it.
class TreeBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit TreeBuilder(const std::string& file) : file_(file) {}

  JsonValue root;

  bool null() override { return add(JsonValue{}) != nullptr; }
  bool boolean(bool value) override {
    JsonValue& added = *add(JsonValue{});
    added.kind = JsonValue::Kind::kBoolean;
    added.boolean = value;
    return true;
  }
  bool number_integer(number_integer_t value) override {
    JsonValue& added = *add(JsonValue{});
    added.kind = JsonValue::Kind::kInteger;
    added.integer = value;
    return true;
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (value <= static_cast<number_unsigned_t>(INT64_MAX)) {
      return number_integer(static_cast<number_integer_t>(value));
    }
    return number_float(0, std::to_string(value));
  }
  bool number_float(number_float_t, const string_t& written) override {
    JsonValue& added = *add(JsonValue{});
    added.kind = JsonValue::Kind::kReal;
    added.text = written;
    return true;
  }
  bool string(string_t& value) override {
    JsonValue& added = *add(JsonValue{});
    added.kind = JsonValue::Kind::kString;
    added.text = std::move(value);
    return true;
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(JsonValue::Kind::kObject); }
  bool start_array(size_t) override { return open(JsonValue::Kind::kArray); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& value) override {
    members_of(*open_.back()).keys.push_back(std::move(value));
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    throw ModelError(file_ + " is no JSON: wrong at byte " + std::to_string(position) +
                     "; take the file from its source again");
  }

 private:
  static JsonMembers& members_of(JsonValue& value) {
    if (value.members == nullptr) value.members = std::make_unique<JsonMembers>();
    return *value.members;
  }
  JsonValue* add(JsonValue value) {
    if (++num_values_ > kMaxValues) {
      throw ModelError(file_ + " holds more than " + std::to_string(kMaxValues) + " values");
    }
    if (open_.empty()) {
      root = std::move(value);
      return &root;
    }
    return &members_of(*open_.back()).items.emplace_back(std::move(value));
  }
  bool open(JsonValue::Kind kind) {
    if (open_.size() == kMaxDepth) {
      throw ModelError(file_ + " is nested more than " + std::to_string(kMaxDepth) +
                       " levels deep");
    }
    JsonValue* added = add(JsonValue{});
    added->kind = kind;
    open_.push_back(added);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& file_;
  std::vector<JsonValue*> open_;
  size_t num_values_ = 0;
};

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

const std::vector<std::string>& JsonValue::keys() const {
  static const std::vector<std::string> none;
  return members == nullptr ? none : members->keys;
}

const std::vector<JsonValue>& JsonValue::items() const {
  static const std::vector<JsonValue> none;
  return members == nullptr ? none : members->items;
}

JsonValue parse_json(std::string_view text, const std::string& file) {
  TreeBuilder builder(file);
  // The parser takes a NUL byte for the end of the text, and drops a byte order mark.
  const size_t nul = text.find('\0');
  if (nul != std::string_view::npos || text.starts_with(kByteOrderMark)) {
    throw ModelError(file + " is no JSON: wrong at byte " +
                     std::to_string(nul == std::string_view::npos ? 0 : nul) +
                     "; take the file from its source again");
  }
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return std::move(builder.root);
}

double score_of(const JsonValue& number) {
  if (number.is(JsonValue::Kind::kInteger)) return static_cast<double>(number.integer);
  std::string_view text = number.text;
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

ObjectReader::ObjectReader(const JsonValue& value, std::string file, std::string place)
    : value_(value), file_(std::move(file)), place_(std::move(place)) {
  if (!value.is(JsonValue::Kind::kObject)) fail("is not an object");
  if (value.keys().size() > kMaxSettings) {
    fail("has more than " + std::to_string(kMaxSettings) + " members");
  }
  is_known_.resize(value.keys().size());
  for (size_t i = 0; i < value.keys().size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (value.keys()[i] == value.keys()[j]) fail_at(value.keys()[i], "is given twice");
    }
  }
}

const JsonValue* ObjectReader::find(std::string_view key) {
  for (size_t i = 0; i < value_.keys().size(); ++i) {
    if (value_.keys()[i] != key) continue;
    is_known_[i] = true;
    return value_.items()[i].is(JsonValue::Kind::kNull) ? nullptr : &value_.items()[i];
  }
  return nullptr;
}

const JsonValue& ObjectReader::required(std::string_view key, JsonValue::Kind kind) {
  const JsonValue* found = find(key);
  if (found == nullptr) fail_at(key, "is missing");
  if (found->kind != kind) fail_at(key, "is of the wrong type");
  return *found;
}

const std::string& ObjectReader::string(std::string_view key) {
  return required(key, JsonValue::Kind::kString).text;
}

bool ObjectReader::boolean(std::string_view key) {
  return required(key, JsonValue::Kind::kBoolean).boolean;
}

bool ObjectReader::boolean_or(std::string_view key, bool fallback) {
  return find(key) == nullptr ? fallback : boolean(key);
}

std::string ObjectReader::string_or_empty(std::string_view key) {
  return find(key) == nullptr ? "" : string(key);
}

void ObjectReader::finish() const {
  for (size_t i = 0; i < is_known_.size(); ++i) {
    if (!is_known_[i]) fail_at(value_.keys()[i], "is not supported");
  }
}

void ObjectReader::fail(const std::string& why) const {
  throw ModelError(file_ + " cannot be used: " + (place_.empty() ? "the file" : place_) + " " +
                   why);
}

void ObjectReader::fail_at(std::string_view key, const std::string& why) const {
  throw ModelError(file_ + " cannot be used: " + place_of(key) + " " + why);
}

std::string ObjectReader::place_of(std::string_view key) const {
  return (place_.empty() ? "" : place_ + ".") + printable(key);
}

std::string element_place(const std::string& place, size_t index) {
  return place + "[" + std::to_string(index) + "]";
}

}  // namespace pdl::tokenizer_json
