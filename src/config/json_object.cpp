#include "json_object.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

#include "pdl/base/unicode.h"
#include "value_check.h"

namespace pdl {
namespace {

// The parser ends at a number that its float type cannot hold; with long double it goes on after
// 1e400, so that later keys are looked at, too. The value is read from the digits.
using Json =
    nlohmann::basic_json<std::map, std::vector, std::string, bool, int64_t, uint64_t, long double>;

constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxListText = 80;
constexpr int kNumberOverflowId = 406;

// "line 3, column 7", where `offset` bytes have been read.
std::string place_of(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  return "line " + std::to_string(line) + ", column " + std::to_string(offset - line_begin);
}

// The part of the parser's message that says what it met and what it expected: "[json.exception…]
// parse error at line 1, column 2: syntax error while parsing value - unexpected …".
std::string reason_of(std::string_view message) {
  for (const std::string_view end_of_prefix : {"column ", ": ", " - "}) {
    const size_t at = message.find(end_of_prefix);
    if (at != std::string_view::npos) message.remove_prefix(at + end_of_prefix.size());
  }
  return printable(message, 120);
}

// Receives the parser's events. A value below the top level is looked at only so far as it is a
// string of a list; everything else there makes the value of its key unusable.
class ObjectBuilder final : public nlohmann::json_sax<Json> {
 public:
  explicit ObjectBuilder(std::string_view text) : text_(text) {}

  JsonObject take() { return std::move(object_); }

  bool null() override { return unusable("null"); }
  bool boolean(bool value) override { return scalar(value); }
  bool number_integer(int64_t value) override { return scalar(value); }
  bool number_unsigned(uint64_t value) override {
    if (std::in_range<int64_t>(value)) return scalar(static_cast<int64_t>(value));
    return scalar(static_cast<double>(value), std::to_string(value));
  }
  bool number_float(long double, const std::string& token) override {
    double value = 0;
    const auto result = std::from_chars(token.data(), token.data() + token.size(), value);
    if (result.ec != std::errc{}) return unusable(printable(token));
    return scalar(value, printable(token));
  }
  bool string(std::string& value) override {
    if (depth_ != 2 || !list_) return scalar(value);
    list_->push_back(value);
    extend_list_text(shown(value));
    return true;
  }
  bool binary(Json::binary_t&) override { return unusable("binary"); }

  bool start_object(size_t) override { return open("{…}"); }
  bool end_object() override { return close(); }
  bool start_array(size_t) override {
    if (depth_ != 1) return open("[…]");
    list_.emplace();
    list_text_.clear();
    return descend();
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

  bool parse_error(size_t position, const std::string& last_token,
                   const Json::exception& error) override {
    std::string reason = error.id == kNumberOverflowId
                             ? printable(last_token) + " is too large for a number"
                             : reason_of(error.what());
    // Inside a value, the key tells more than the column.
    if (depth_ >= 1 && !object_.entries.empty() && object_.entries.back().text.empty()) {
      reason = printable(object_.entries.back().key) + ": " + reason;
    }
    return stop(place_of(text_, position) + ": " + reason);
  }

 private:
  bool stop(std::string problem) {
    object_.problem = std::move(problem);
    return false;
  }

  bool not_an_object() { return stop("must hold one JSON object: {\"key\": value, …}"); }

  bool descend() {
    if (++depth_ <= kMaxDepth) return true;
    return stop(printable(object_.entries.back().key) + ": is nested deeper than " +
                std::to_string(kMaxDepth) + " levels");
  }

  bool close() {
    --depth_;
    return true;
  }

  bool open(const std::string& text) {
    if (depth_ == 0 && text.front() != '{') return not_an_object();
    if (depth_ > 0) unusable(text);
    return descend();
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

  std::string_view text_;
  JsonObject object_;
  std::set<std::string> names_;
  size_t depth_ = 0;
  std::optional<std::vector<std::string>> list_;  // the open list, as long as it holds strings
  std::string list_text_;
};

}  // namespace

JsonObject read_json_object(std::string_view text) {
  // The parser takes a NUL byte for the end of the text.
  const size_t nul = text.find('\0');
  if (nul != std::string_view::npos) {
    return {{}, place_of(text, nul + 1) + ": a NUL byte; the file must be UTF-8 text"};
  }
  ObjectBuilder builder(text);
  Json::sax_parse(text, &builder, Json::input_format_t::json, /*strict=*/true,
                  /*ignore_comments=*/true);
  return builder.take();
}

}  // namespace pdl
