#include "filters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "call_arguments.h"
#include "characters.h"
#include "operations.h"
#include "pdl/base/unicode.h"
#include "printing.h"
#include "sequence_filters.h"
#include "strings.h"
#include "text_builder.h"

namespace pdl::jinja {
namespace {

// What Jinja's soft_str() makes of a value.
Text soft_text(const Value& value, Budget& budget) { return to_text(value, budget); }

Value trim(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments bound("trim", arguments, {"chars"});
  return stripped(soft_text(input, budget), bound.text(0), Side::kBoth);
}

Value upper(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments none("upper", arguments, {});
  return in_upper_case(soft_text(input, budget));
}

Value lower(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments none("lower", arguments, {});
  return in_lower_case(soft_text(input, budget));
}

Value capitalize(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments none("capitalize", arguments, {});
  return capitalized(soft_text(input, budget));
}

// Jinja's own rule: words begin after white space and -({[<.
Value title(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments none("title", arguments, {});
  Text text = soft_text(input, budget);
  if (!is_ascii(text.bytes)) {
    fail("changes the case of a text that is not ASCII by title, which is not supported");
  }
  bool begins_word = true;
  for (char& byte : text.bytes) {
    const bool is_between = std::string_view("-({[<").find(byte) != std::string::npos ||
                            is_space(static_cast<unsigned char>(byte));
    if (begins_word && byte >= 'a' && byte <= 'z') byte = static_cast<char>(byte - 'a' + 'A');
    if (!begins_word && byte >= 'A' && byte <= 'Z') byte = static_cast<char>(byte - 'A' + 'a');
    begins_word = is_between;
  }
  return text;
}

Value string(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments none("string", arguments, {});
  return to_shared_text(input, budget);
}

Value safe(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments none("safe", arguments, {});
  Text text = soft_text(input, budget);
  text.is_markup = true;
  return text;
}

Value escape(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments none("escape", arguments, {});
  return escaped(soft_text(input, budget));
}

Value replace(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments bound("replace", arguments, {"old", "new", "count"});
  const bool is_counted = bound.find(2) != nullptr && !bound.find(2)->is_none();
  Text result =
      replaced(to_text(input, budget), to_text(bound.required(0), budget),
               to_text(bound.required(1), budget), is_counted ? bound.integer(2, -1) : -1, budget);
  result.is_markup = false;
  return result;
}

Value format(const Value& input, const CallArguments& arguments, Budget& budget) {
  if (!arguments.named.empty()) fail("formats by name, which is not supported");
  return formatted_by_percent(soft_text(input, budget), make_tuple(arguments.positional), budget);
}

Value indent(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments bound("indent", arguments, {"width", "first", "blank"});
  require_defined(input);
  const Text* text = input.text();
  if (text == nullptr || text->is_markup) fail("indents " + kind_of(input));
  const Value* width = bound.find(0);
  Text indention;
  if (width != nullptr && width->text() != nullptr) {
    indention = *width->text();
  } else {
    const int64_t spaces = std::max<int64_t>(bound.integer(0, 4), 0);
    budget.take_bytes(static_cast<size_t>(spaces));
    indention.bytes.assign(static_cast<size_t>(spaces), ' ');
  }
  Text whole = *text;
  whole.append("\n");
  const std::vector<Value> lines = split_lines(whole, /*keeps_ends=*/false, budget);
  TextBuilder result(budget);
  for (size_t i = 0; i < lines.size(); ++i) {
    const Text& line = *lines[i].text();
    if (i > 0) result.append("\n");
    const bool is_indented =
        i == 0 ? bound.flag(1, false) : bound.flag(2, false) || !line.bytes.empty();
    if (is_indented) result.append(indention);
    result.append(line);
  }
  return result.take();
}

Value length(const Value& input, const CallArguments& arguments, Budget&) {
  const BoundArguments none("length", arguments, {});
  return static_cast<int64_t>(length_of(input));
}

Value fallback(const Value& input, const CallArguments& arguments, Budget&) {
  const BoundArguments bound("default", arguments, {"default_value", "boolean"});
  if (!input.is_undefined() && !(bound.flag(1, false) && !is_true(input))) return input;
  return bound.find(0) == nullptr ? Value(Text{}) : *bound.find(0);
}

// Python's float() of a string; nullopt if it is none.
std::optional<double> parsed_number(const Text& text) {
  std::string written = stripped(text, nullptr, Side::kBoth).bytes;
  if (written.starts_with('+')) written.erase(0, 1);
  if (written.empty() || written.find_first_not_of("0123456789.eE+-") != std::string::npos) {
    if (written.find_first_of("_ninNI") != std::string::npos) {
      fail("reads '" + printable(written, 40) + "' as a number, which is not supported");
    }
    return std::nullopt;
  }
  double number = 0;
  const char* end = written.data() + written.size();
  const auto [stop, error] = std::from_chars(written.data(), end, number);
  if (error == std::errc::result_out_of_range) fail("reads a number that no double holds");
  return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

Value cut_to_integer(double number) {
  if (!(std::fabs(number) < 9.2e18))
    fail("makes an integer beyond 64 bits, which is not supported");
  return static_cast<int64_t>(number);
}

Value to_integer(const Value& input, const CallArguments& arguments, Budget&) {
  const BoundArguments bound("int", arguments, {"default", "base"});
  if (bound.integer(1, 10) != 10) fail("uses int with a base, which is not supported");
  require_defined(input);
  if (const auto whole = input.integer()) return *whole;
  if (const auto number = input.number()) return cut_to_integer(*number);
  if (input.text() != nullptr) {
    std::string written = stripped(*input.text(), nullptr, Side::kBoth).bytes;
    if (written.starts_with('+')) written.erase(0, 1);
    int64_t whole = 0;
    const char* end = written.data() + written.size();
    const auto [stop, error] = std::from_chars(written.data(), end, whole);
    if (error == std::errc() && stop == end) return whole;
    if (!is_ascii(written))
      fail("reads a text that is not ASCII as a number, which is not supported");
    if (const auto number = parsed_number(*input.text())) return cut_to_integer(*number);
  }
  return bound.find(0) == nullptr ? Value(int64_t{0}) : *bound.find(0);
}

Value to_float(const Value& input, const CallArguments& arguments, Budget&) {
  const BoundArguments bound("float", arguments, {"default"});
  require_defined(input);
  if (const auto number = input.number()) return *number;
  if (input.text() != nullptr) {
    if (const auto number = parsed_number(*input.text())) return *number;
  }
  return bound.find(0) == nullptr ? Value(0.0) : *bound.find(0);
}

Value absolute(const Value& input, const CallArguments& arguments, Budget&) {
  const BoundArguments none("abs", arguments, {});
  require_defined(input);
  const auto number = input.number();
  if (!number) fail("uses abs on " + kind_of(input));
  return with_sign(*number < 0, input);
}

Value round(const Value& input, const CallArguments& arguments, Budget&) {
  const BoundArguments bound("round", arguments, {"precision", "method"});
  require_defined(input);
  const auto number = input.number();
  if (!number) fail("rounds " + kind_of(input));
  const int64_t precision = bound.integer(0, 0);
  const Text* method = bound.text(1);
  if (method != nullptr && method->bytes != "common") {
    fail("rounds by another method than common, which is not supported");
  }
  if (precision < 0 || precision > 20) fail("rounds to a precision that is not supported");
  if (const auto whole = input.integer()) return *whole;
  char buffer[512];
  std::snprintf(buffer, sizeof buffer, "%.*f", static_cast<int>(precision), *number);
  return std::strtod(buffer, nullptr);
}

Value tojson(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments bound("tojson", arguments,
                             {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii = bound.flag(0, false);
  style.sorts_keys = bound.flag(3, false);
  const Value* indent = bound.find(1);
  if (indent != nullptr && !indent->is_none()) {
    const int64_t spaces =
        indent->text() == nullptr ? std::max<int64_t>(bound.integer(1, 0), 0) : 0;
    budget.take_bytes(static_cast<size_t>(spaces));
    style.indent = indent->text() == nullptr ? std::string(static_cast<size_t>(spaces), ' ')
                                             : indent->text()->bytes;
    style.item_separator = ",";
  }
  const Value* separators = bound.find(2);
  if (separators != nullptr && !separators->is_none()) {
    const std::vector<Value> pair = items_of(*separators, budget);
    if (pair.size() != 2 || pair[0].text() == nullptr || pair[1].text() == nullptr) {
      fail("gives tojson separators that are no two strings");
    }
    style.item_separator = pair[0].text()->bytes;
    style.key_separator = pair[1].text()->bytes;
  }
  return to_json(input, style, budget);
}

struct NamedFilter {
  std::string_view name;
  FilterFunction function;
};

constexpr std::array<NamedFilter, 38> kFilters = {{{"abs", absolute},
                                                   {"capitalize", capitalize},
                                                   {"count", length},
                                                   {"d", fallback},
                                                   {"default", fallback},
                                                   {"dictsort", filter_dictsort},
                                                   {"e", escape},
                                                   {"escape", escape},
                                                   {"first", filter_first},
                                                   {"float", to_float},
                                                   {"format", format},
                                                   {"indent", indent},
                                                   {"int", to_integer},
                                                   {"items", filter_items},
                                                   {"join", filter_join},
                                                   {"last", filter_last},
                                                   {"length", length},
                                                   {"list", filter_list},
                                                   {"lower", lower},
                                                   {"map", filter_map},
                                                   {"max", filter_max},
                                                   {"min", filter_min},
                                                   {"reject", filter_reject},
                                                   {"rejectattr", filter_rejectattr},
                                                   {"replace", replace},
                                                   {"reverse", filter_reverse},
                                                   {"round", round},
                                                   {"safe", safe},
                                                   {"select", filter_select},
                                                   {"selectattr", filter_selectattr},
                                                   {"sort", filter_sort},
                                                   {"string", string},
                                                   {"sum", filter_sum},
                                                   {"title", title},
                                                   {"tojson", tojson},
                                                   {"trim", trim},
                                                   {"unique", filter_unique},
                                                   {"upper", upper}}};

// Those of Jinja's that are not among kFilters.
constexpr std::array<std::string_view, 16> kOtherFilters = {
    "attr",   "batch",     "center",   "filesizeformat", "forceescape", "groupby",
    "pprint", "random",    "slice",    "striptags",      "truncate",    "urlencode",
    "urlize", "wordcount", "wordwrap", "xmlattr"};

}  // namespace

FilterFunction find_filter(std::string_view name) {
  const auto found = std::find_if(kFilters.begin(), kFilters.end(),
                                  [&](const NamedFilter& filter) { return filter.name == name; });
  return found == kFilters.end() ? nullptr : found->function;
}

bool is_filter_of_jinja(std::string_view name) {
  return find_filter(name) != nullptr ||
         std::find(kOtherFilters.begin(), kOtherFilters.end(), name) != kOtherFilters.end();
}

}  // namespace pdl::jinja
