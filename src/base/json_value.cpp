#include <charconv>
#include <cstdlib>
#include <utility>

#include "pdl/base/json.h"

namespace pdl {

static_assert(sizeof(JsonValue) == 16, "a file may hold millions");

const std::string& JsonValue::text() const {
  if (const auto* real = std::get_if<std::unique_ptr<Real>>(&data_)) return (*real)->written;
  return *std::get<std::unique_ptr<std::string>>(data_);
}

double JsonValue::number() const {
  if (is(Kind::kInteger)) return static_cast<double>(integer());
  const std::string& written = std::get<std::unique_ptr<Real>>(data_)->written;
  double value = 0;
  const auto result = std::from_chars(written.data(), written.data() + written.size(), value);
  // from_chars() does not tell a number that is too small from one that is too large.
  return result.ec == std::errc{} ? value : std::strtod(written.c_str(), nullptr);
}

const std::vector<std::string>& JsonValue::keys() const {
  static const std::vector<std::string> none;
  const auto* members = std::get_if<std::unique_ptr<JsonMembers>>(&data_);
  return members == nullptr || *members == nullptr ? none : (*members)->keys;
}

const std::vector<JsonValue>& JsonValue::items() const {
  static const std::vector<JsonValue> none;
  if (const auto* list = std::get_if<std::unique_ptr<List>>(&data_)) {
    return *list == nullptr ? none : **list;
  }
  const auto* members = std::get_if<std::unique_ptr<JsonMembers>>(&data_);
  return members == nullptr || *members == nullptr ? none : (*members)->items;
}

// Makes a tree of the events. A list or an object without members holds no memory.
class JsonTreeBuilder final : public JsonHandler {
 public:
  explicit JsonTreeBuilder(JsonValue& root) : root_(root) {}

  bool null() override { return add(std::monostate()); }
  bool boolean(bool value) override { return add(value); }
  bool integer(int64_t value) override { return add(value); }
  bool real(const std::string& written) override {
    return add(std::make_unique<JsonValue::Real>(JsonValue::Real{written}));
  }
  bool string(std::string& value) override {
    return add(std::make_unique<std::string>(std::move(value)));
  }
  bool key(std::string& name) override {
    members_of(*open_.back()).keys.push_back(std::move(name));
    return true;
  }
  bool begin_object() override { return open(std::unique_ptr<JsonMembers>()); }
  bool end_object() override { return close(); }
  bool begin_array() override { return open(std::unique_ptr<JsonValue::List>()); }
  bool end_array() override { return close(); }

 private:
  static JsonMembers& members_of(JsonValue& object) {
    auto& members = std::get<std::unique_ptr<JsonMembers>>(object.data_);
    if (members == nullptr) members = std::make_unique<JsonMembers>();
    return *members;
  }
  static std::vector<JsonValue>& items_of(JsonValue& value) {
    auto* list = std::get_if<std::unique_ptr<JsonValue::List>>(&value.data_);
    if (list == nullptr) return members_of(value).items;
    if (*list == nullptr) *list = std::make_unique<JsonValue::List>();
    return **list;
  }

  template <class Data>
  bool add(Data data) {
    last_ = open_.empty() ? &root_ : &items_of(*open_.back()).emplace_back();
    last_->data_ = std::move(data);
    return true;
  }
  // An open value stays where it is: its parent gets no further ones before it is closed.
  template <class Data>
  bool open(Data data) {
    add(std::move(data));
    open_.push_back(last_);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  JsonValue& root_;
  JsonValue* last_ = nullptr;
  std::vector<JsonValue*> open_;
};

JsonProblem try_parse_json(std::string_view text, const JsonRules& rules, JsonValue& root) {
  root = {};
  JsonTreeBuilder builder(root);
  return read_json(text, rules, builder);
}

JsonValue parse_json(std::string_view text, const JsonRules& rules, const JsonBlame& blame) {
  JsonValue root;
  const JsonProblem problem = try_parse_json(text, rules, root);
  if (problem) blame.fail(blame.subject() + " " + problem.phrase());
  return root;
}

}  // namespace pdl
