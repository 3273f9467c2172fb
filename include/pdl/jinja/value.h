// Values of templates, with the meaning that Python gives them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "pdl/base/json.h"
#include "pdl/jinja/text.h"

namespace pdl::jinja {

class Value;
class Dict;
struct Sequence;
struct Iterator;
struct Method;
struct Namespace;
struct LoopState;
struct Macro;

// Lists and dicts within one another; deeper ones are refused.
inline constexpr int32_t kMaxValueDepth = 200;

// A name or member that is not there. Most uses of one are errors with this message.
struct Undefined {
  std::shared_ptr<const std::string> message;
};

// A function that every template may call, by its name.
struct Function {
  const char* name = nullptr;
};

// Immutable, but for an iterator, which can be read once, a loop and a namespace. Cheap to copy.
class Value {
 public:
  Value() = default;  // None
  Value(bool value) : data_(value) {}
  Value(int64_t value) : data_(value) {}
  Value(double value) : data_(value) {}
  Value(Text text) : data_(std::make_shared<const Text>(std::move(text))) {}
  Value(std::shared_ptr<const Text> text) : data_(std::move(text)) {}
  Value(std::shared_ptr<const Sequence> items) : data_(std::move(items)) {}
  Value(std::shared_ptr<const Dict> members) : data_(std::move(members)) {}
  Value(std::shared_ptr<Iterator> iterator) : data_(std::move(iterator)) {}
  Value(std::shared_ptr<const Method> method) : data_(std::move(method)) {}
  Value(Undefined undefined) : data_(std::move(undefined)) {}
  Value(Function function) : data_(function) {}
  Value(std::shared_ptr<LoopState> loop) : data_(std::move(loop)) {}
  // These belong to the rendering, and end with it.
  Value(Namespace* space) : data_(space) {}
  Value(Macro* macro) : data_(macro) {}
  Value(const char*) = delete;  // would be a boolean

  // A string without an origin.
  static Value string(std::string_view bytes) { return Text{std::string(bytes)}; }
  static Value undefined(std::string message);

  // Whether it is None, or the value of a name that is not there.
  bool is_none() const { return std::holds_alternative<std::monostate>(data_); }
  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }

  // A pointer to what the value holds; nullptr if it is of another kind.
  template <class T>
  const T* get() const {
    return std::get_if<T>(&data_);
  }
  const Text* text() const { return shared<const Text>(); }
  const Sequence* sequence() const { return shared<const Sequence>(); }
  const Dict* dict() const { return shared<const Dict>(); }
  Iterator* iterator() const { return shared<Iterator>(); }
  const Method* method() const { return shared<const Method>(); }
  Namespace* space() const { return plain<Namespace>(); }
  LoopState* loop() const { return shared<LoopState>(); }
  Macro* macro() const { return plain<Macro>(); }
  // An integer, or a boolean as Python counts it.
  std::optional<int64_t> integer() const;
  // A number, or a boolean as Python counts it.
  std::optional<double> number() const;

  // How deep lists and dicts lie within one another in it; 0 for other kinds.
  int32_t depth() const;

 private:
  template <class T>
  T* shared() const {
    const auto* pointer = std::get_if<std::shared_ptr<T>>(&data_);
    return pointer == nullptr ? nullptr : pointer->get();
  }
  template <class T>
  T* plain() const {
    const auto* pointer = std::get_if<T*>(&data_);
    return pointer == nullptr ? nullptr : *pointer;
  }

  std::variant<std::monostate, Undefined, bool, int64_t, double, std::shared_ptr<const Text>,
               std::shared_ptr<const Sequence>, std::shared_ptr<const Dict>,
               std::shared_ptr<Iterator>, std::shared_ptr<const Method>, std::shared_ptr<LoopState>,
               Function, Namespace*, Macro*>
      data_;
};

// Items that can be counted and looped over again and again.
struct Sequence {
  // A view is what the methods keys, values and items of a dict return: it has no index.
  enum class Kind { kList, kTuple, kRange, kView };

  Kind kind = Kind::kList;
  std::vector<Value> items;
  int32_t depth = 1;
};

// Members in the order in which their keys were first given.
class Dict {
 public:
  // nullptr: there is none. A key that cannot be one has no member.
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
  // A key that is there keeps its place, and gets the value.
  void set(Value key, Value value);
  const std::vector<std::pair<Value, Value>>& members() const { return members_; }
  int32_t depth() const { return depth_; }

 private:
  std::optional<size_t> index_of(const Value& key) const;

  std::vector<std::pair<Value, Value>> members_;
  std::unordered_map<std::string, size_t> index_;  // of keys that are strings
  int32_t depth_ = 1;
};

// What Python's generators are: items that can be looped over once.
struct Iterator {
  std::vector<Value> items;
  size_t next = 0;
  int32_t depth = 1;
};

// The value of a JSON text. Strings, but not names, have the origin, if one is given. Throws
// DataError for an integer beyond 64 bits and for what is nested deeper than kMaxValueDepth.
Value from_json(const JsonValue& json, std::optional<int32_t> origin = std::nullopt);

// Values of several. They throw DataError where the result would be nested too deep.
Value make_list(std::vector<Value> items);
Value make_tuple(std::vector<Value> items);
Value make_sequence(Sequence::Kind kind, std::vector<Value> items);
Value make_iterator(std::vector<Value> items);
Value make_dict(Dict members);

}  // namespace pdl::jinja
