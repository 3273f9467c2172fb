// Reading JSON (RFC 8259) that may be damaged or hostile. What every reader must guard against is
// here, once: a NUL byte, which the parser takes for the end of the text; a byte order mark, which
// it passes over; deep nesting; numbers that do not fit; a name that stands twice. Three ways to
// read, each built on the one before:
//
//   read_json()    events, for long texts of which little is kept
//   parse_json()   a tree
//   ObjectReader   the members of an object by name and type, so that none is passed over
//
// They take time and memory in proportion to the text, however deeply it is nested, and may be used
// from several threads at once.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace pdl {

// ------------------------------------------------------------------ events

// What a text may hold beside strict JSON, and how much of it.
struct JsonRules {
  size_t max_depth = 64;               // of lists and objects within one another
  size_t max_values = SIZE_MAX;        // in the whole text; lists and objects count, too
  bool byte_order_mark = false;        // at the begin
  bool comments = false;               // // and /* */
  bool numbers_beyond_double = false;  // as 1e400 is
};

// Why a text was not read to its end.
struct JsonProblem {
  // Who ended the reading.
  enum class Kind {
    kNone,
    kNotJson,  // `byte` is the first that cannot be, or the text's size; `reason` is what is there
    kLimit,    // `reason` is a phrase, e.g. "is nested deeper than 64 levels"
    kStopped,  // by the handler, whose `reason` it is
  };

  Kind kind = Kind::kNone;
  size_t byte = 0;
  std::string reason;

  explicit operator bool() const { return kind != Kind::kNone; }
  // Follows the text's name: "is not JSON at byte 12: a NUL byte".
  std::string phrase() const;
};

// Receives the parts of a text in their order. Each function returns whether to go on.
class JsonHandler {
 public:
  virtual ~JsonHandler() = default;

  // A value: the text's, one of the open list, or that of the last key.
  virtual bool null() = 0;
  virtual bool boolean(bool value) = 0;
  virtual bool integer(int64_t value) = 0;
  // A number with a fraction or an exponent, or an integer beyond int64_t, as it is written.
  virtual bool real(const std::string& written) = 0;
  virtual bool string(std::string& value) = 0;  // may be taken
  virtual bool key(std::string& name) = 0;      // may be taken
  virtual bool begin_object() = 0;
  virtual bool end_object() = 0;
  virtual bool begin_array() = 0;
  virtual bool end_array() = 0;

  // What stop() was given: a phrase that follows the text's name.
  const std::string& stop_reason() const { return stop_reason_; }

 protected:
  // Ends the reading: `return stop("is no record")`.
  bool stop(std::string reason) {
    stop_reason_ = std::move(reason);
    return false;
  }

 private:
  std::string stop_reason_;
};

// What is not UTF-8 is not JSON, but in a comment; nor is an escape of half a surrogate pair.
JsonProblem read_json(std::string_view text, const JsonRules& rules, JsonHandler& handler);

// ------------------------------------------------------------------ a tree

struct JsonMembers;

// Small, because a file may hold millions.
class JsonValue {
 public:
  // The kinds of values. An integer is a number without fraction and exponent that fits int64_t, a
  // real any other number.
  enum class Kind : uint8_t { kNull, kBoolean, kInteger, kReal, kString, kArray, kObject };

  // Of which kind the value is.
  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is(Kind other) const { return kind() == other; }
  bool is_string() const { return is(Kind::kString); }
  bool is_number() const { return is(Kind::kInteger) || is(Kind::kReal); }

  // Each for the kinds that it names alone.
  bool boolean() const { return std::get<bool>(data_); }
  int64_t integer() const { return std::get<int64_t>(data_); }
  const std::string& text() const;  // of a string; a real number as it is written
  double number() const;            // the double nearest to an integer or a real number

  // Of every kind; empty where there are none.
  const std::vector<std::string>& keys() const;  // of an object, beside items()
  const std::vector<JsonValue>& items() const;

 private:
  friend class JsonTreeBuilder;

  using List = std::vector<JsonValue>;
  struct Real {
    std::string written;
  };
  // In the order of Kind.
  std::variant<std::monostate, bool, int64_t, std::unique_ptr<Real>, std::unique_ptr<std::string>,
               std::unique_ptr<List>, std::unique_ptr<JsonMembers>>
      data_;
};

// The members of an object, in the order of the text: `items[i]` is the value of `keys[i]`.
struct JsonMembers {
  std::vector<std::string> keys;
  std::vector<JsonValue> items;
};

// Sets `root`, or returns why it could not.
JsonProblem try_parse_json(std::string_view text, const JsonRules& rules, JsonValue& root);

// ------------------------------------------------------------------ errors

// Of which class the errors about a text are, and how their messages begin, e.g. "tokenizer
// 'a.json' cannot be used: ". What follows is a phrase about `subject` or about a member of it,
// e.g. "it is not JSON at byte 12: a NUL byte" or "model.vocab is missing".
class JsonBlame {
 public:
  // Errors of the class `Blame`, whose messages begin with `begin`.
  template <class Blame>
  static JsonBlame of(std::string begin, std::string subject = "it") {
    return {[](const std::string& message) { return std::make_exception_ptr(Blame(message)); },
            std::move(begin), std::move(subject)};
  }

  // Throws the error with `phrase` after the begin of its message.
  [[noreturn]] void fail(const std::string& phrase) const;
  const std::string& subject() const { return subject_; }

 private:
  using MakeError = std::exception_ptr (*)(const std::string& message);

  JsonBlame(MakeError make_error, std::string begin, std::string subject)
      : make_error_(make_error), begin_(std::move(begin)), subject_(std::move(subject)) {}

  MakeError make_error_;
  std::string begin_;
  std::string subject_;
};

// Describes a value in messages: a number as it is written, a string in quotes, anything else by
// its kind.
std::string describe(const JsonValue& value);

// Throws the error of `blame` for what try_parse_json() does not read.
JsonValue parse_json(std::string_view text, const JsonRules& rules, const JsonBlame& blame);

// ------------------------------------------------------------------ members

// The members of an object, each asked for by name. finish() refuses those that nobody asked for,
// so that no setting is passed over. Every function throws the error of `blame` with the place of
// the member. The value must outlive the reader.
class ObjectReader {
 public:
  // Refuses a name that stands twice. `place` is the way to the object from the root of the text,
  // e.g. "model" or "added_tokens[3]".
  ObjectReader(const JsonValue& value, JsonBlame blame, std::string place = "");

  bool has(std::string_view key);  // if only with null
  // nullptr: missing or null.
  const JsonValue* find(std::string_view key);
  // Asks for a key whose value does not matter.
  void ignore(std::string_view key) { find(key); }
  void finish() const;
  // The members that nobody asked for.
  std::vector<std::pair<std::string, const JsonValue*>> unasked() const;

  // A member that must be there.
  const JsonValue& required(std::string_view key);
  const JsonValue& required(std::string_view key, JsonValue::Kind kind);
  const std::string& string(std::string_view key);
  bool boolean(std::string_view key);
  double number(std::string_view key);
  std::vector<double> numbers(std::string_view key);
  // In [min, max].
  int64_t integer(std::string_view key, int64_t min = INT64_MIN, int64_t max = INT64_MAX);
  std::vector<int64_t> integers(std::string_view key, int64_t min = INT64_MIN,
                                int64_t max = INT64_MAX);
  ObjectReader object(std::string_view key);

  // The value where it is missing or null.
  bool boolean_or(std::string_view key, bool fallback);
  std::string string_or_empty(std::string_view key);

  // Throw the error about the object, or about its member `key`; `why` is a phrase that follows the
  // place.
  [[noreturn]] void fail(const std::string& why) const;
  [[noreturn]] void fail_at(std::string_view key, const std::string& why) const;
  const JsonBlame& blame() const { return blame_; }
  std::string place_of(std::string_view key) const;

 private:
  const JsonValue* find_any(std::string_view key);

  const JsonValue& value_;
  JsonBlame blame_;
  std::string place_;
  std::vector<bool> is_known_;
};

// An element of a list in messages: "place[index]".
std::string element_place(std::string_view place, size_t index);

}  // namespace pdl
