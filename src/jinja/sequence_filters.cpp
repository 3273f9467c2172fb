#include "sequence_filters.h"

#include <algorithm>
#include <charconv>

#include "attribute_path.h"
#include "call_arguments.h"
#include "operations.h"
#include "pdl/base/unicode.h"
#include "printing.h"
#include "strings.h"
#include "tests.h"

namespace pdl::jinja {

AttributePath::AttributePath(const Value& written) {
  if (written.is_none()) return;
  if (written.text() == nullptr) {
    parts_.push_back(written);
    return;
  }
  const std::string_view text = written.text()->bytes;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('.', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    int64_t index = 0;
    const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool is_index = error == std::errc() && stop == part.data() + part.size() && index >= 0 &&
                          part.front() != '-';
    parts_.push_back(is_index ? Value(index) : Value::string(part));
    begin = end + 1;
  }
}

Value AttributePath::of(const Value& value, const Value* fallback) const {
  Value found = value;
  for (const Value& part : parts_) {
    found = item_of(found, part);
    if (found.is_undefined() && fallback != nullptr && !fallback->is_none()) found = *fallback;
  }
  return found;
}

Value without_case(const Value& value) {
  return value.text() == nullptr ? value : Value(in_lower_case(*value.text()));
}

namespace {

Value key_of(const Value& item, const AttributePath& path, bool case_sensitive) {
  const Value key = path.of(item);
  return case_sensitive ? key : without_case(key);
}

AttributePath path_of(const BoundArguments& arguments, size_t parameter) {
  const Value* written = arguments.find(parameter);
  return written == nullptr ? AttributePath() : AttributePath(*written);
}

// Sorts as Python does: items of equal keys keep their order, also in reverse.
std::vector<Value> sorted(std::vector<std::pair<Value, Value>> keyed, bool reverse,
                          Budget& budget) {
  const auto is_before = [&](const auto& left, const auto& right) {
    return reverse ? is_less(right.first, left.first, budget)
                   : is_less(left.first, right.first, budget);
  };
  std::stable_sort(keyed.begin(), keyed.end(), is_before);
  std::vector<Value> items;
  for (auto& [key, item] : keyed) items.push_back(std::move(item));
  return items;
}

}  // namespace

Value filter_dictsort(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments bound("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  require_defined(input);
  if (input.dict() == nullptr) fail("uses dictsort on " + kind_of(input));
  const Text* by = bound.text(1);
  if (by != nullptr && by->bytes != "key" && by->bytes != "value") {
    fail("uses dictsort by '" + printable(by->bytes, 40) + "'");
  }
  const bool by_value = by != nullptr && by->bytes == "value";
  std::vector<std::pair<Value, Value>> keyed;
  for (const auto& [key, value] : input.dict()->members()) {
    const Value& chosen = by_value ? value : key;
    keyed.emplace_back(bound.flag(0, false) ? chosen : without_case(chosen),
                       make_tuple({key, value}));
  }
  return make_list(sorted(std::move(keyed), bound.flag(2, false), budget));
}

Value filter_first(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments none("first", arguments, {});
  if (Iterator* iterator = input.iterator()) {
    if (iterator->next < iterator->items.size()) return iterator->items[iterator->next++];
  } else {
    const std::vector<Value> items = items_of(input, budget);
    if (!items.empty()) return items.front();
  }
  return Value::undefined("asks for the first item of an empty list");
}

Value filter_last(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments none("last", arguments, {});
  require_defined(input);
  if (input.iterator() != nullptr) fail("asks for the last item of a generator");
  const std::vector<Value> items = items_of(input, budget);
  if (!items.empty()) return items.back();
  return Value::undefined("asks for the last item of an empty list");
}

Value filter_items(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments none("items", arguments, {});
  std::vector<Value> items;
  if (const Dict* dict = input.dict()) {
    budget.take(dict->members().size());
    for (const auto& [key, value] : dict->members()) items.push_back(make_tuple({key, value}));
  } else if (!input.is_undefined()) {
    fail("uses items on " + kind_of(input));
  }
  return make_iterator(std::move(items));
}

Value filter_join(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments bound("join", arguments, {"d", "attribute"});
  const AttributePath path = path_of(bound, 1);
  std::vector<Value> texts;
  for (const Value& item : items_of(input, budget)) {
    texts.emplace_back(to_shared_text(path.of(item), budget));
  }
  const Value* separator = bound.find(0);
  return joined(separator == nullptr ? Text{} : to_text(*separator, budget), texts, budget);
}

Value filter_list(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments none("list", arguments, {});
  return make_list(items_of(input, budget));
}

Value filter_map(const Value& input, const CallArguments& arguments, Budget& budget) {
  if (!is_true(input)) return make_iterator({});
  std::vector<Value> mapped;
  if (arguments.positional.empty()) {
    const BoundArguments bound("map", arguments, {"attribute", "default"});
    const AttributePath path(bound.required(0));
    for (const Value& item : items_of(input, budget))
      mapped.push_back(path.of(item, bound.find(1)));
    return make_iterator(std::move(mapped));
  }
  const Text* name = arguments.positional.front().text();
  const FilterFunction filter = name == nullptr ? nullptr : find_filter(name->bytes);
  if (filter == nullptr) fail("maps by a filter that is not supported");
  const CallArguments rest{{arguments.positional.begin() + 1, arguments.positional.end()},
                           arguments.named};
  for (const Value& item : items_of(input, budget)) mapped.push_back(filter(item, rest, budget));
  return make_iterator(std::move(mapped));
}

namespace {

Value picked(const Value& input, const CallArguments& arguments, bool by_attribute, bool keeps,
             Budget& budget) {
  if (!is_true(input)) return make_iterator({});
  const std::vector<Value>& given = arguments.positional;
  const size_t first = by_attribute ? 1 : 0;
  if (given.size() < first) fail("selects by an attribute without its name");
  const AttributePath path = by_attribute ? AttributePath(given.front()) : AttributePath();
  TestFunction test = nullptr;
  CallArguments rest{{}, arguments.named};
  if (given.size() > first) {
    const Text* name = given[first].text();
    test = name == nullptr ? nullptr : find_test(name->bytes);
    if (test == nullptr) fail("selects by a test that is not supported");
    rest.positional.assign(given.begin() + static_cast<std::ptrdiff_t>(first) + 1, given.end());
  }
  std::vector<Value> items;
  for (const Value& item : items_of(input, budget)) {
    const Value value = path.of(item);
    const bool passes = test == nullptr ? is_true(value) : test(value, rest, budget);
    if (passes == keeps) items.push_back(item);
  }
  return make_iterator(std::move(items));
}

Value extreme(const char* name, const Value& input, const CallArguments& arguments, bool is_max,
              Budget& budget) {
  const BoundArguments bound(name, arguments, {"case_sensitive", "attribute"});
  const AttributePath path = path_of(bound, 1);
  const bool case_sensitive = bound.flag(0, false);
  const std::vector<Value> items = items_of(input, budget);
  if (items.empty()) return Value::undefined("asks for an extreme of an empty list");
  Value best = items.front();
  Value best_key = key_of(best, path, case_sensitive);
  for (size_t i = 1; i < items.size(); ++i) {
    Value key = key_of(items[i], path, case_sensitive);
    const bool is_better = is_max ? is_less(best_key, key, budget) : is_less(key, best_key, budget);
    if (!is_better) continue;
    best = items[i];
    best_key = std::move(key);
  }
  return best;
}

}  // namespace

Value filter_select(const Value& input, const CallArguments& arguments, Budget& budget) {
  return picked(input, arguments, /*by_attribute=*/false, /*keeps=*/true, budget);
}
Value filter_reject(const Value& input, const CallArguments& arguments, Budget& budget) {
  return picked(input, arguments, /*by_attribute=*/false, /*keeps=*/false, budget);
}
Value filter_selectattr(const Value& input, const CallArguments& arguments, Budget& budget) {
  return picked(input, arguments, /*by_attribute=*/true, /*keeps=*/true, budget);
}
Value filter_rejectattr(const Value& input, const CallArguments& arguments, Budget& budget) {
  return picked(input, arguments, /*by_attribute=*/true, /*keeps=*/false, budget);
}
Value filter_max(const Value& input, const CallArguments& arguments, Budget& budget) {
  return extreme("max", input, arguments, /*is_max=*/true, budget);
}
Value filter_min(const Value& input, const CallArguments& arguments, Budget& budget) {
  return extreme("min", input, arguments, /*is_max=*/false, budget);
}

Value filter_reverse(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments none("reverse", arguments, {});
  require_defined(input);
  if (input.text() != nullptr) return slice_of(input, {}, {}, int64_t{-1}, budget);
  std::vector<Value> items = items_of(input, budget);
  std::reverse(items.begin(), items.end());
  return input.iterator() != nullptr ? make_list(std::move(items))
                                     : make_iterator(std::move(items));
}

Value filter_sort(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments bound("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const bool case_sensitive = bound.flag(1, false);
  std::vector<AttributePath> paths;
  const Value* attribute = bound.find(2);
  if (attribute != nullptr && attribute->text() != nullptr) {
    const Text comma{","};
    for (const Value& part : split(*attribute->text(), &comma, -1, budget))
      paths.emplace_back(part);
  } else {
    paths.push_back(path_of(bound, 2));
  }
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : items_of(input, budget)) {
    std::vector<Value> keys;
    for (const AttributePath& path : paths) keys.push_back(key_of(item, path, case_sensitive));
    keyed.emplace_back(make_list(std::move(keys)), item);
  }
  return make_list(sorted(std::move(keyed), bound.flag(0, false), budget));
}

Value filter_sum(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments bound("sum", arguments, {"attribute", "start"});
  const AttributePath path = path_of(bound, 0);
  Value sum = bound.find(1) == nullptr ? Value(int64_t{0}) : *bound.find(1);
  if (sum.text() != nullptr) fail("sums up strings");
  for (const Value& item : items_of(input, budget)) {
    sum = calculate("+", sum, path.of(item), budget);
  }
  return sum;
}

Value filter_unique(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments bound("unique", arguments, {"case_sensitive", "attribute"});
  const AttributePath path = path_of(bound, 1);
  std::vector<Value> items;
  Dict seen;
  for (const Value& item : items_of(input, budget)) {
    const Value key = key_of(item, path, bound.flag(0, false));
    require_key(key);
    budget.take(seen.members().size() / 16);
    if (seen.find(key) != nullptr) continue;
    seen.set(key, Value());
    items.push_back(item);
  }
  return make_iterator(std::move(items));
}

}  // namespace pdl::jinja
