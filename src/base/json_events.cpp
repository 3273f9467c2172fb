#include <algorithm>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "pdl/base/json.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

// The parser ends at a number that its float type cannot hold; with long double it goes on after
// 1e400. The value is read from the digits in any case.
using WideJson =
    nlohmann::basic_json<std::map, std::vector, std::string, bool, int64_t, uint64_t, long double>;

// Returns the part of the parser's message that says what it met and what it expected:
// "[json.exception…] parse error at line 1, column 2: syntax error while parsing value - unexpected
// …".
std::string reason_of(std::string_view message) {
  for (const std::string_view end_of_prefix : {"column ", ": ", " - "}) {
    const size_t at = message.find(end_of_prefix);
    if (at != std::string_view::npos) message.remove_prefix(at + end_of_prefix.size());
  }
  return printable(message, 120);
}

// Passes the parser's events on as long as they keep the rules.
template <class Json>
class EventGuard final : public nlohmann::json_sax<Json> {
 public:
  EventGuard(size_t text_size, const JsonRules& rules, JsonHandler& handler)
      : text_size_(text_size), rules_(rules), handler_(handler) {}

  JsonProblem take() { return std::move(problem_); }

  bool null() override { return admit_value() && handler_.null(); }
  bool boolean(bool value) override { return admit_value() && handler_.boolean(value); }
  bool number_integer(int64_t value) override { return admit_value() && handler_.integer(value); }
  bool number_unsigned(uint64_t value) override {
    if (std::in_range<int64_t>(value)) return number_integer(static_cast<int64_t>(value));
    return admit_value() && handler_.real(std::to_string(value));
  }
  bool number_float(typename Json::number_float_t, const std::string& written) override {
    return admit_value() && handler_.real(written);
  }
  bool string(std::string& value) override { return admit_value() && handler_.string(value); }
  bool binary(typename Json::binary_t&) override { return false; }  // never in JSON
  bool key(std::string& name) override { return handler_.key(name); }

  bool start_object(size_t) override { return descend() && handler_.begin_object(); }
  bool end_object() override {
    --depth_;
    return handler_.end_object();
  }
  bool start_array(size_t) override { return descend() && handler_.begin_array(); }
  bool end_array() override {
    --depth_;
    return handler_.end_array();
  }

  // `position` is the number of bytes read, the last of which is wrong. The end of the text counts
  // as one, and after a comment as two.
  bool parse_error(size_t position, const std::string& last_token,
                   const nlohmann::detail::exception& error) override {
    constexpr int kNumberOverflow = 406;
    problem_ = {JsonProblem::Kind::kNotJson, std::min(position - 1, text_size_),
                error.id == kNumberOverflow ? printable(last_token) + " is too large for a number"
                                            : reason_of(error.what())};
    return false;
  }

 private:
  bool refuse(std::string reason) {
    problem_ = {JsonProblem::Kind::kLimit, 0, std::move(reason)};
    return false;
  }
  bool admit_value() {
    if (num_values_++ < rules_.max_values) return true;
    return refuse("holds more than " + std::to_string(rules_.max_values) + " values");
  }
  bool descend() {
    if (!admit_value()) return false;
    if (depth_++ < rules_.max_depth) return true;
    return refuse("is nested deeper than " + std::to_string(rules_.max_depth) + " levels");
  }

  size_t text_size_;
  const JsonRules& rules_;
  JsonHandler& handler_;
  JsonProblem problem_;
  size_t depth_ = 0;  // of lists and objects that are open
  size_t num_values_ = 0;
};

template <class Json>
JsonProblem parse(std::string_view text, const JsonRules& rules, JsonHandler& handler) {
  EventGuard<Json> guard(text.size(), rules, handler);
  const bool is_whole = Json::sax_parse(text, &guard, Json::input_format_t::json, /*strict=*/true,
                                        /*ignore_comments=*/rules.comments);
  JsonProblem problem = guard.take();
  if (!is_whole && !problem) return {JsonProblem::Kind::kStopped, 0, handler.stop_reason()};
  return problem;
}

}  // namespace

std::string JsonProblem::phrase() const {
  if (kind != Kind::kNotJson) return reason;
  return "is not JSON at byte " + std::to_string(byte) + ": " + reason;
}

JsonProblem read_json(std::string_view text, const JsonRules& rules, JsonHandler& handler) {
  // The parser takes a NUL byte for the end of the text, and drops a byte order mark.
  const size_t nul = text.find('\0');
  if (nul != std::string_view::npos) {
    return {JsonProblem::Kind::kNotJson, nul, "a NUL byte; JSON is UTF-8 text"};
  }
  if (!rules.byte_order_mark && text.starts_with(kByteOrderMark)) {
    return {JsonProblem::Kind::kNotJson, 0, "a byte order mark"};
  }
  return rules.numbers_beyond_double ? parse<WideJson>(text, rules, handler)
                                     : parse<nlohmann::json>(text, rules, handler);
}

}  // namespace pdl
