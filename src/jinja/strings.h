// What Python's str does, on texts that remember where they came from. Private to the module.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "budget.h"
#include "filters.h"
#include "pdl/jinja/value.h"

namespace pdl::jinja {

// Which ends of a text.
enum class Side { kBoth, kLeft, kRight };

// Without white space or, if they are given, `characters` at its ends.
Text stripped(const Text& text, const Text* characters, Side side);
// At `separator` or, if there is none, at white space; `most` splits at most, all if it is
// negative.
std::vector<Value> split(const Text& text, const Text* separator, int64_t most, Budget& budget);
std::vector<Value> split_from_right(const Text& text, const Text* separator, int64_t most,
                                    Budget& budget);
std::vector<Value> split_lines(const Text& text, bool keeps_ends, Budget& budget);
// `most` replacements at most, all if it is negative.
Text replaced(const Text& text, const Text& from, const Text& to, int64_t most, Budget& budget);
Text joined(const Text& separator, const std::vector<Value>& texts, Budget& budget);
Text in_upper_case(const Text& text);
Text in_lower_case(const Text& text);
// Python's str.title() and str.capitalize(); ASCII alone.
Text in_title_case(const Text& text);
Text capitalized(const Text& text);

// left + right, of which one that is no markup is escaped if the other is.
Text joined_as_markup(const Text& left, const Text& right);
Text escaped(const Text& text);

// "… %s" % values, and "… {}".format(values).
Text formatted_by_percent(const Text& format, const Value& values, Budget& budget);
Text formatted_by_braces(const Text& format, const CallArguments& arguments, Budget& budget);

// Fails for what cannot be a key of a dict.
void require_key(const Value& value);

}  // namespace pdl::jinja
