// A text of JSON as every reader of files gets it: a tree of it under each set of rules, and the
// members of its objects.
#include <algorithm>
#include <array>
#include <set>

#include "fuzz_target.h"
#include "pdl/base/error.h"
#include "pdl/base/json.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

using Kind = JsonValue::Kind;

size_t depth_of(const JsonValue& value) {
  size_t depth = 0;
  for (const JsonValue& item : value.items()) depth = std::max(depth, depth_of(item));
  return value.is(Kind::kArray) || value.is(Kind::kObject) ? depth + 1 : 0;
}

size_t count_values(const JsonValue& value) {
  size_t count = 1;
  for (const JsonValue& item : value.items()) count += count_values(item);
  return count;
}

std::string escaped(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string result = "\"";
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    if (code < 0x20 || byte == '"' || byte == '\\') {
      result += std::string("\\u00") + kDigits[code / 16] + kDigits[code % 16];
    } else {
      result += byte;
    }
  }
  return result + "\"";
}

std::string written(const JsonValue& value) {
  switch (value.kind()) {
    case Kind::kNull:
      return "null";
    case Kind::kBoolean:
      return value.boolean() ? "true" : "false";
    case Kind::kInteger:
      return std::to_string(value.integer());
    case Kind::kReal:
      return value.text();
    case Kind::kString:
      return escaped(value.text());
    case Kind::kArray:
    case Kind::kObject:
      break;
  }
  const bool is_object = value.is(Kind::kObject);
  std::string text;
  for (size_t i = 0; i < value.items().size(); ++i) {
    if (i > 0) text += ",";
    if (is_object) text += escaped(value.keys()[i]) + ":";
    text += written(value.items()[i]);
  }
  return is_object ? "{" + text + "}" : "[" + text + "]";
}

bool names_stand_once(const JsonValue& object) {
  const std::set<std::string> names(object.keys().begin(), object.keys().end());
  return names.size() == object.keys().size();
}

void check_members(const JsonValue& value) {
  const auto blame = JsonBlame::of<DataError>("file: ");
  auto reader = accepted<DataError>([&] { return ObjectReader(value, blame, "a"); });
  require(reader.has_value() == (value.is(Kind::kObject) && names_stand_once(value)),
          "an object whose names stand once is read, nothing else");
  for (const JsonValue& item : value.items()) check_members(item);
  if (!reader) return;
  const auto is_finished = [&] {
    return accepted<DataError>([&] {
             reader->finish();
             return true;
           })
        .has_value();
  };
  for (const std::string& key : value.keys()) {
    require(!is_finished(), "no member is passed over");
    require(reader->has(key), "each member is found");
    accepted<DataError>([&] { return reader->integer(key, -1, 1); });
    accepted<DataError>([&] { return reader->numbers(key); });
  }
  require(is_finished(), "all are known then");
}

void check_value(std::string_view text, const JsonRules& rules, const JsonValue& root) {
  require(text.find('\0') == std::string_view::npos, "nothing hides after the JSON");
  require(rules.comments || find_invalid_utf8(text) == std::string_view::npos,
          "an accepted text is UTF-8, comments aside");
  require(rules.byte_order_mark || !text.starts_with(kByteOrderMark), "no byte order mark");
  require(depth_of(root) <= rules.max_depth, "the depth is limited");
  require(count_values(root) <= rules.max_values, "the values are");
  const std::string again = written(root);
  JsonValue read;
  require(!try_parse_json(again, rules, read), "what was read can be written");
  require(written(read) == again, "and reads back the same");
  check_members(root);
}

void check_problem(std::string_view text, const JsonProblem& problem) {
  require(problem.kind != JsonProblem::Kind::kStopped, "a tree takes everything");
  require(problem.byte <= text.size(), "what is wrong is in the text");
  require(problem.phrase().starts_with("is ") || problem.phrase().starts_with("holds "),
          "a problem is a phrase");
}

}  // namespace
}  // namespace pdl

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pdl;
  const std::string_view text = text_of(data, size);
  // Each allows what the one before does.
  const std::array<JsonRules, 4> all_rules = {
      {{.max_depth = 4, .max_values = 20},
       {.max_depth = 4},
       {},
       {.byte_order_mark = true, .comments = true, .numbers_beyond_double = true}}};
  std::optional<std::string> before;
  for (const JsonRules& rules : all_rules) {
    JsonValue root;
    const JsonProblem problem = try_parse_json(text, rules, root);
    require(!problem || !before, "what is allowed to less is allowed to more");
    if (problem) {
      check_problem(text, problem);
      continue;
    }
    check_value(text, rules, root);
    require(!before || *before == written(root), "and is the same");
    before = written(root);
  }
  return 0;
}
