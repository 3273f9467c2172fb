#include "json_text.h"

#include <set>
#include <string>
#include <utility>

#include "pdl/base/unicode.h"

namespace pdl {

using nlohmann::json;

json parse_json_object(std::string_view text, const std::string& what, int max_depth) {
  // The parser takes a NUL byte for the end of the text, and drops a byte order mark.
  if (text.find('\0') != std::string_view::npos) throw FormatProblem(what + " has a NUL byte");
  if (!text.starts_with('{')) throw FormatProblem(what + " is not a JSON object");
  std::vector<std::set<std::string>> names;  // of the objects around, outermost first
  const json::parser_callback_t check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > max_depth) throw FormatProblem(what + " is nested too deeply");
    if (event == json::parse_event_t::object_start) names.emplace_back();
    if (event == json::parse_event_t::object_end) names.pop_back();
    if (event == json::parse_event_t::key) {
      const auto& name = parsed.get_ref<const std::string&>();
      if (!names.back().insert(name).second)
        throw FormatProblem(what + " holds '" + printable(name) + "' twice");
    }
    return true;
  };
  json object = json::parse(text, check, /*allow_exceptions=*/false);
  if (!object.is_object()) throw FormatProblem(what + " is not a JSON object");
  return object;
}

int64_t non_negative(const json& value) {
  if (!value.is_number_unsigned()) return -1;
  const auto number = value.get<uint64_t>();
  return std::in_range<int64_t>(number) ? static_cast<int64_t>(number) : -1;
}

std::vector<int64_t> shape_of(const json& list, const std::string& what) {
  std::vector<int64_t> shape;
  if (!list.is_array()) throw FormatProblem(what + " has no shape");
  for (const json& size : list) {
    shape.push_back(non_negative(size));
    if (shape.back() < 0) throw FormatProblem(what + " has a shape that is not made of sizes");
  }
  return shape;
}

}  // namespace pdl
