#include "json_object.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <set>
#include <system_error>
#include <utility>

#include "pdl/base/json.h"
#include "pdl/base/unicode.h"
#include "value_check.h"

namespace pdl {
namespace {

// The reading goes on after 1e400, so that later keys are looked at, too.
constexpr JsonRules kRules = {
    .byte_order_mark = true, .comments = true, .numbers_beyond_double = true};
constexpr size_t kMaxListText = 80;

// "line 3, column 7", where `offset` bytes have been read.
std::string place_of(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  return "line " + std::to_string(line) + ", column " + std::to_string(offset - line_begin);
}

// Receives the parts of the text. A value below the top level is looked at only so far as it is a
// string of a list; everything else there makes the value of its key unusable.
class ObjectBuilder final : public JsonHandler {
 public:
  // What was read of `text` until `problem`, if there is one.
  JsonObject take(const JsonProblem& problem, std::string_view text) {
    if (problem) object_.problem = message_of(problem, text);
    return std::move(object_);
  }

  bool null() override { return unusable("null"); }
  bool boolean(bool value) override { return scalar(value); }
  bool integer(int64_t value) override { return scalar(value); }
  bool real(const std::string& written) override {
    double value = 0;
    const auto result = std::from_chars(written.data(), written.data() + written.size(), value);
    if (result.ec != std::errc{}) return unusable(printable(written));
    return scalar(value, printable(written));
  }
  bool string(std::string& value) override {
    if (depth_ != 2 || !list_) return scalar(value);
    list_->push_back(value);
    extend_list_text(shown(value));
    return true;
  }

  bool begin_object() override { return open("{…}"); }
  bool end_object() override { return close(); }
  bool begin_array() override {
    if (depth_ != 1) return open("[…]");
    list_.emplace();
    list_text_.clear();
    ++depth_;
    return true;
  }
  bool end_array() override {
    if (depth_ == 2) {
      JsonEntry& entry = object_.entries.back();
      entry.text = "[" + list_text_ + "]";
      if (list_) entry.value = std::move(*list_);
      list_.reset();
    }
    return close();
  }
  bool key(std::string& name) override {
    if (depth_ == 1) object_.entries.push_back({name, {}, {}, !names_.insert(name).second});
    return true;
  }

 private:
  bool not_an_object() { return stop("must hold one JSON object: {\"key\": value, …}"); }

  std::string message_of(const JsonProblem& problem, std::string_view text) const {
    if (problem.kind == JsonProblem::Kind::kStopped) return problem.reason;
    const std::string key =
        object_.entries.empty() ? "" : printable(object_.entries.back().key) + ": ";
    if (problem.kind == JsonProblem::Kind::kLimit) return key + problem.reason;
    // Inside a value, the key tells more than the column.
    const bool is_in_value = !key.empty() && depth_ >= 1 && object_.entries.back().text.empty();
    return place_of(text, problem.byte + 1) + ": " + (is_in_value ? key : "") + problem.reason;
  }

  bool close() {
    --depth_;
    return true;
  }

  bool open(const std::string& text) {
    if (depth_ == 0 && text.front() != '{') return not_an_object();
    if (depth_ > 0) unusable(text);
    ++depth_;
    return true;
  }

  void extend_list_text(const std::string& text) {
    if (list_text_.size() > kMaxListText) return;
    list_text_ += (list_text_.empty() ? "" : ", ") + text;
    if (list_text_.size() > kMaxListText) list_text_ += ", …";
  }

  bool unusable(const std::string& text) {
    if (depth_ == 0) return not_an_object();
    if (depth_ == 1) object_.entries.back().text = text;
    if (depth_ == 2) {
      list_.reset();
      extend_list_text(text);
    }
    return true;
  }

  bool scalar(const ConfigValue& value) { return scalar(value, shown(value)); }
  bool scalar(const ConfigValue& value, const std::string& text) {
    if (depth_ == 1) object_.entries.back().value = value;
    return unusable(text);
  }

  JsonObject object_;
  std::set<std::string> names_;
  size_t depth_ = 0;
  std::optional<std::vector<std::string>> list_;  // the open list, as long as it holds strings
  std::string list_text_;
};

}  // namespace

JsonObject read_json_object(std::string_view text) {
  ObjectBuilder builder;
  const JsonProblem problem = read_json(text, kRules, builder);
  return builder.take(problem, text);
}

}  // namespace pdl
