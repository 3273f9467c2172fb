#include "methods.h"

#include <algorithm>
#include <array>

#include "call_arguments.h"
#include "characters.h"
#include "date.h"
#include "operations.h"
#include "pdl/base/unicode.h"
#include "printing.h"
#include "strings.h"

namespace pdl::jinja {
namespace {

using Parameters = std::vector<std::string_view>;

// Of Python's str, in the order of the alphabet.
constexpr std::array<std::string_view, 47> kStringMethods = {
    "capitalize",   "casefold",    "center",    "count",      "encode",       "endswith",
    "expandtabs",   "find",        "format",    "format_map", "index",        "isalnum",
    "isalpha",      "isascii",     "isdecimal", "isdigit",    "isidentifier", "islower",
    "isnumeric",    "isprintable", "isspace",   "istitle",    "isupper",      "join",
    "ljust",        "lower",       "lstrip",    "maketrans",  "partition",    "removeprefix",
    "removesuffix", "replace",     "rfind",     "rindex",     "rjust",        "rpartition",
    "rsplit",       "rstrip",      "split",     "splitlines", "startswith",   "strip",
    "swapcase",     "title",       "translate", "upper",      "zfill"};
constexpr std::array<std::string_view, 6> kDictMethods = {"copy",  "fromkeys", "get",
                                                          "items", "keys",     "values"};
constexpr std::array<std::string_view, 5> kDictChanges = {"clear", "pop", "popitem", "setdefault",
                                                          "update"};
constexpr std::array<std::string_view, 2> kTupleMethods = {"count", "index"};
constexpr std::array<std::string_view, 9> kListChanges = {
    "append", "clear", "copy", "extend", "insert", "pop", "remove", "reverse", "sort"};
constexpr std::array<std::string_view, 12> kNumberMethods = {
    "as_integer_ratio", "bit_count", "bit_length", "conjugate",  "denominator", "from_bytes",
    "fromhex",          "hex",       "imag",       "is_integer", "numerator",   "real"};

template <class Names>
bool holds(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Value method_of(const Value& object, const std::string& name) {
  return std::make_shared<const Method>(Method{object, name});
}

Value change_of(const char* kind, const std::string& name) {
  return Value::undefined("changes a " + std::string(kind) + " by '" + name +
                          "', which the sandbox does not allow");
}

}  // namespace

std::optional<Value> find_method(const Value& object, const std::string& name) {
  if (object.text() != nullptr && holds(kStringMethods, name)) return method_of(object, name);
  if (object.dict() != nullptr) {
    if (holds(kDictMethods, name)) return method_of(object, name);
    if (holds(kDictChanges, name)) return change_of("dict", name);
  }
  if (object.sequence() != nullptr) {
    const bool is_list = object.sequence()->kind == Sequence::Kind::kList;
    if (is_list && name == "copy") return method_of(object, name);
    if (is_list && holds(kListChanges, name)) return change_of("list", name);
    if (object.sequence()->kind != Sequence::Kind::kView && holds(kTupleMethods, name)) {
      return method_of(object, name);
    }
  }
  if (object.number() && (holds(kNumberMethods, name) || name == "to_bytes")) {
    fail("asks a number for '" + name + "', which is not supported");
  }
  if (object.loop() != nullptr && (name == "cycle" || name == "changed")) {
    return method_of(object, name);
  }
  return std::nullopt;
}

namespace {

// Whether the text begins or ends with an affix, or one of several.
bool has_affix(const Text& text, const Value& affix, bool at_begin) {
  const Sequence* affixes = affix.sequence();
  if (affixes != nullptr && affixes->kind == Sequence::Kind::kTuple) {
    return std::any_of(affixes->items.begin(), affixes->items.end(),
                       [&](const Value& one) { return has_affix(text, one, at_begin); });
  }
  require_defined(affix);
  if (affix.text() == nullptr) fail("looks for " + kind_of(affix) + " at an end of a string");
  return at_begin ? text.bytes.starts_with(affix.text()->bytes)
                  : text.bytes.ends_with(affix.text()->bytes);
}

const Text& required_text(const BoundArguments& arguments, size_t parameter) {
  require_defined(arguments.required(parameter));
  const Text* text = arguments.text(parameter);
  if (text == nullptr) fail("gives None where a string is needed");
  return *text;
}

int64_t count_of(const Text& text, const Text& part) {
  if (part.bytes.empty()) return static_cast<int64_t>(count_characters(text.bytes)) + 1;
  int64_t count = 0;
  for (size_t at = 0; (at = text.bytes.find(part.bytes, at)) != std::string::npos; ++count) {
    at += part.bytes.size();
  }
  return count;
}

// In characters; -1 if it is not there.
int64_t place_of(const Text& text, const Text& part, bool from_right) {
  const size_t at = from_right ? text.bytes.rfind(part.bytes) : text.bytes.find(part.bytes);
  if (at == std::string::npos) return -1;
  return static_cast<int64_t>(count_characters(std::string_view(text.bytes).substr(0, at)));
}

Value partition(const Text& text, const Text& separator, bool from_right) {
  if (separator.bytes.empty()) fail("splits a text at an empty separator");
  const size_t at =
      from_right ? text.bytes.rfind(separator.bytes) : text.bytes.find(separator.bytes);
  if (at == std::string::npos) {
    return from_right ? make_tuple({Text{}, Text{}, text}) : make_tuple({text, Text{}, Text{}});
  }
  return make_tuple({part_of(text, 0, at), separator,
                     part_of(text, at + separator.bytes.size(), text.bytes.size())});
}

// True if the text is not empty and all characters are `is_kind`. ASCII alone.
bool all_are(const Text& text, const std::string& name, bool (*is_kind)(unsigned char)) {
  if (!is_ascii(text.bytes)) {
    fail("asks " + name + " of a text that is not ASCII, which is not supported");
  }
  return !text.bytes.empty() && std::all_of(text.bytes.begin(), text.bytes.end(), [&](char byte) {
    return is_kind(static_cast<unsigned char>(byte));
  });
}

bool is_digit(unsigned char byte) { return byte >= '0' && byte <= '9'; }
bool is_letter(unsigned char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}
bool is_digit_or_letter(unsigned char byte) { return is_digit(byte) || is_letter(byte); }

// Some letter, and none of the other case. ASCII alone.
bool has_one_case(const Text& text, const std::string& name) {
  if (!is_ascii(text.bytes)) {
    fail("asks " + name + " of a text that is not ASCII, which is not supported");
  }
  const bool has_lower = std::any_of(text.bytes.begin(), text.bytes.end(),
                                     [](char byte) { return byte >= 'a' && byte <= 'z'; });
  const bool has_upper = std::any_of(text.bytes.begin(), text.bytes.end(),
                                     [](char byte) { return byte >= 'A' && byte <= 'Z'; });
  return name == "islower" ? has_lower && !has_upper : has_upper && !has_lower;
}

std::optional<Value> call_split(const Text& text, const std::string& name,
                                const CallArguments& arguments, Budget& budget) {
  if (name == "split" || name == "rsplit") {
    const BoundArguments bound(name, arguments, {"sep", "maxsplit"});
    const int64_t most = bound.integer(1, -1);
    return make_list(name == "split" ? split(text, bound.text(0), most, budget)
                                     : split_from_right(text, bound.text(0), most, budget));
  }
  if (name == "splitlines") {
    const BoundArguments bound(name, arguments, {"keepends"});
    return make_list(split_lines(text, bound.integer(0, 0) != 0, budget));
  }
  if (name == "partition" || name == "rpartition") {
    const BoundArguments bound(name, arguments, {"sep"});
    return partition(text, required_text(bound, 0), name == "rpartition");
  }
  return std::nullopt;
}

std::optional<Value> call_strip(const Text& text, const std::string& name,
                                const CallArguments& arguments) {
  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    const BoundArguments bound(name, arguments, {"chars"});
    const Side side = name == "strip" ? Side::kBoth : name == "lstrip" ? Side::kLeft : Side::kRight;
    return stripped(text, bound.text(0), side);
  }
  if (name == "removeprefix" || name == "removesuffix") {
    const BoundArguments bound(name, arguments, {"affix"});
    const Text& affix = required_text(bound, 0);
    const size_t size = text.bytes.size();
    if (!has_affix(text, Value(affix), name == "removeprefix")) return text;
    return name == "removeprefix" ? part_of(text, affix.bytes.size(), size)
                                  : part_of(text, 0, size - affix.bytes.size());
  }
  return std::nullopt;
}

std::optional<Value> call_search(const Text& text, const std::string& name,
                                 const CallArguments& arguments) {
  if (name == "startswith" || name == "endswith") {
    const BoundArguments bound(name, arguments, {"affix"});
    return has_affix(text, bound.required(0), name == "startswith");
  }
  if (name == "count")
    return count_of(text, required_text(BoundArguments(name, arguments, {"sub"}), 0));
  if (name == "find" || name == "rfind" || name == "index" || name == "rindex") {
    const BoundArguments bound(name, arguments, {"sub"});
    const int64_t place = place_of(text, required_text(bound, 0), name.front() == 'r');
    if (place < 0 && name.ends_with("index"))
      fail("asks for the index of a text that is not there");
    return place;
  }
  return std::nullopt;
}

std::optional<Value> call_question(const Text& text, const std::string& name,
                                   const CallArguments& arguments) {
  if (!name.starts_with("is")) return std::nullopt;
  const BoundArguments none(name, arguments, {});
  if (name == "isspace") {
    return !text.bytes.empty() && skip_white_space(text.bytes) == text.bytes.size();
  }
  if (name == "isascii") return is_ascii(text.bytes);
  if (name == "isdigit" || name == "isdecimal" || name == "isnumeric") {
    return all_are(text, name, is_digit);
  }
  if (name == "isalpha") return all_are(text, name, is_letter);
  if (name == "isalnum") return all_are(text, name, is_digit_or_letter);
  if (name == "islower" || name == "isupper") return has_one_case(text, name);
  return std::nullopt;
}

std::optional<Value> call_change(const Text& text, const std::string& name,
                                 const CallArguments& arguments, Budget& budget) {
  if (name == "replace") {
    const BoundArguments bound(name, arguments, {"old", "new", "count"});
    return replaced(text, required_text(bound, 0), required_text(bound, 1), bound.integer(2, -1),
                    budget);
  }
  if (name == "join") {
    const BoundArguments bound(name, arguments, {"iterable"});
    const std::vector<Value> items = items_of(bound.required(0), budget);
    for (const Value& item : items) {
      require_defined(item);
      if (item.text() == nullptr) fail("joins " + kind_of(item) + ", not a string");
    }
    return joined(text, items, budget);
  }
  if (name == "format") return formatted_by_braces(text, arguments, budget);
  const bool changes_case =
      name == "upper" || name == "lower" || name == "title" || name == "capitalize";
  if (!changes_case) return std::nullopt;
  const BoundArguments none(name, arguments, {});
  if (name == "upper") return in_upper_case(text);
  if (name == "lower") return in_lower_case(text);
  return name == "title" ? in_title_case(text) : capitalized(text);
}

Value call_string(const Text& text, const std::string& name, const CallArguments& arguments,
                  Budget& budget) {
  budget.take(text.bytes.size() / 64 + 1);
  if (text.is_markup && name != "strip") {
    fail("calls '" + name + "' of a safe text, which is not supported");
  }
  if (auto value = call_split(text, name, arguments, budget)) return *value;
  if (auto value = call_strip(text, name, arguments)) return *value;
  if (auto value = call_search(text, name, arguments)) return *value;
  if (auto value = call_question(text, name, arguments)) return *value;
  if (auto value = call_change(text, name, arguments, budget)) return *value;
  fail("calls the method '" + name + "' of a string, which is not supported");
}

Value call_dict(const Value& object, const std::string& name, const CallArguments& arguments,
                Budget& budget) {
  const Dict& dict = *object.dict();
  if (name == "get") {
    if (!arguments.named.empty()) fail("gives 'get' a named argument");
    const BoundArguments bound(name, arguments, {"key", "default"});
    require_key(bound.required(0));
    const Value* found = dict.find(bound.required(0));
    if (found != nullptr) return *found;
    return bound.find(1) == nullptr ? Value() : *bound.find(1);
  }
  const BoundArguments none(name, arguments, {});
  if (name == "copy") return object;
  if (name == "fromkeys") fail("calls the method 'fromkeys' of a dict, which is not supported");
  budget.take(dict.members().size());
  std::vector<Value> items;
  for (const auto& [key, value] : dict.members()) {
    items.push_back(name == "items" ? make_tuple({key, value}) : name == "keys" ? key : value);
  }
  return make_sequence(Sequence::Kind::kView, std::move(items));
}

Value call_sequence(const Value& object, const std::string& name, const CallArguments& arguments,
                    Budget& budget) {
  if (name == "copy") {
    const BoundArguments none(name, arguments, {});
    return object;
  }
  const BoundArguments bound(name, arguments, {"value"});
  const std::vector<Value>& items = object.sequence()->items;
  int64_t count = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!are_equal(items[i], bound.required(0), budget)) continue;
    if (name == "index") return static_cast<int64_t>(i);
    ++count;
  }
  if (name == "index") fail("asks for the index of an item that is not there");
  return count;
}

// Whether a value keeps a loop alive.
bool holds_loop(const Value& value, Budget& budget) {
  budget.take();
  const auto holds = [&](const Value& inner) { return holds_loop(inner, budget); };
  if (value.loop() != nullptr) return true;
  if (value.method() != nullptr) return holds(value.method()->object);
  if (value.iterator() != nullptr) return std::ranges::any_of(value.iterator()->items, holds);
  if (value.sequence() != nullptr) return std::ranges::any_of(value.sequence()->items, holds);
  return value.dict() != nullptr &&
         std::ranges::any_of(value.dict()->members(),
                             [&](const auto& member) { return holds(member.second); });
}

Value call_loop(LoopState& loop, const std::string& name, const CallArguments& arguments,
                Budget& budget) {
  if (!arguments.named.empty()) fail("gives loop." + name + " a named argument");
  const std::vector<Value>& given = arguments.positional;
  if (name == "cycle") {
    if (given.empty()) fail("calls loop.cycle without items");
    return given[loop.index % given.size()];
  }
  // One that holds itself would never be freed.
  if (std::ranges::any_of(given, [&](const Value& value) { return holds_loop(value, budget); })) {
    fail("gives loop.changed a loop, which is not supported");
  }
  const bool is_same =
      loop.has_changed && are_equal(make_tuple(loop.changed_arguments), make_tuple(given), budget);
  loop.has_changed = true;
  loop.changed_arguments = given;
  return !is_same;
}

}  // namespace

Value call_method(const Method& method, const CallArguments& arguments, Budget& budget) {
  if (const Text* text = method.object.text()) {
    return call_string(*text, method.name, arguments, budget);
  }
  if (method.object.dict() != nullptr) {
    return call_dict(method.object, method.name, arguments, budget);
  }
  if (LoopState* loop = method.object.loop()) {
    return call_loop(*loop, method.name, arguments, budget);
  }
  return call_sequence(method.object, method.name, arguments, budget);
}

}  // namespace pdl::jinja
