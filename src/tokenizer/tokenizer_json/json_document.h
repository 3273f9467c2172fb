// A JSON file as a tree, read with limits: a hostile file is an error, not a full memory or stack.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pdl::tokenizer_json {

struct JsonMembers;

// Small, for a file may hold millions.
struct JsonValue {
  enum class Kind : uint8_t { kNull, kBoolean, kInteger, kReal, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  bool boolean = false;
  int64_t integer = 0;
  std::string text;                      // of a string; a real number as it is written
  std::unique_ptr<JsonMembers> members;  // nullptr: none

  bool is(Kind other) const { return kind == other; }
  bool is_string() const { return kind == Kind::kString; }
  const std::vector<std::string>& keys() const;  // of an object, beside items()
  const std::vector<JsonValue>& items() const;
};

struct JsonMembers {
  std::vector<std::string> keys;
  std::vector<JsonValue> items;
};

// Throws ModelError, which begins with `file` and names the byte, for text that is no JSON, is
// nested too deeply or holds too many values.
JsonValue parse_json(std::string_view text, const std::string& file);

// A real or whole number as the `tokenizers` package reads it: its JSON reader is fast and may be
// one unit in the last place away from the nearest double, which can decide between segmentations.
double score_of(const JsonValue& number);

// The members of an object, each asked for by name. finish() refuses those that nobody asked for,
// so that no setting is passed over. Every function throws ModelError with the file and the place.
class ObjectReader {
 public:
  // `place` is the way to the object from the root of the file, e.g. "model" or "added_tokens[3]".
  ObjectReader(const JsonValue& value, std::string file, std::string place);

  // nullptr: missing or null.
  const JsonValue* find(std::string_view key);
  const JsonValue& required(std::string_view key, JsonValue::Kind kind);
  const std::string& string(std::string_view key);
  bool boolean(std::string_view key);
  bool boolean_or(std::string_view key, bool fallback);
  // "" where missing or null.
  std::string string_or_empty(std::string_view key);
  // Asks for a key whose value does not matter.
  void ignore(std::string_view key) { find(key); }
  void finish() const;

  [[noreturn]] void fail(const std::string& why) const;
  [[noreturn]] void fail_at(std::string_view key, const std::string& why) const;
  const std::string& file() const { return file_; }
  std::string place_of(std::string_view key) const;

 private:
  const JsonValue& value_;
  std::string file_;
  std::string place_;
  std::vector<bool> is_known_;
};

// An element of an array in messages: "place[index]".
std::string element_place(const std::string& place, size_t index);

}  // namespace pdl::tokenizer_json
