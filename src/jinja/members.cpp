// How members, items and slices of values are found.

#include <algorithm>

#include "characters.h"
#include "methods.h"
#include "operations.h"
#include "pdl/base/unicode.h"
#include "runtime.h"

namespace pdl::jinja {
namespace {

// Python's name of the value's kind, as Jinja says it of a member that is missing.
std::string owner_of(const Value& value) {
  if (value.is_none()) return "None";
  if (value.dict() != nullptr) return "dict";
  if (value.text() != nullptr) return "str";
  if (value.sequence() != nullptr) {
    return value.sequence()->kind == Sequence::Kind::kList ? "list" : "tuple";
  }
  return kind_of(value);
}

Value missing(const Value& object, const std::string& name) {
  return Value::undefined("asks " + owner_of(object) + " for '" + printable(name, 60) +
                          "', which is not there");
}

std::optional<Value> loop_attribute(const LoopState& loop, const std::string& name) {
  const auto size = static_cast<int64_t>(loop.items.size());
  const auto index = static_cast<int64_t>(loop.index);
  if (name == "index") return index + 1;
  if (name == "index0") return index;
  if (name == "revindex") return size - index;
  if (name == "revindex0") return size - index - 1;
  if (name == "first") return index == 0;
  if (name == "last") return index + 1 == size;
  if (name == "length") return size;
  // Jinja counts the levels of recursive loops alone.
  if (name == "depth") return int64_t{1};
  if (name == "depth0") return int64_t{0};
  if (name == "previtem") {
    return index > 0 ? loop.items[loop.index - 1] : Value::undefined("there is no previous item");
  }
  if (name == "nextitem") {
    return index + 1 < size ? loop.items[loop.index + 1]
                            : Value::undefined("there is no next item");
  }
  return std::nullopt;
}

// What Python's getattr() finds.
std::optional<Value> python_attribute(const Value& object, const std::string& name) {
  if (name.starts_with("__")) fail("asks for '" + printable(name, 60) + "', which is not allowed");
  if (const Namespace* space = object.space()) {
    const Value* member = space->find(name);
    return member == nullptr ? std::nullopt : std::optional(*member);
  }
  if (const LoopState* loop = object.loop()) {
    if (auto value = loop_attribute(*loop, name)) return value;
  }
  if (object.macro() != nullptr && (name == "name" || name == "arguments" || name == "caller" ||
                                    name == "catch_kwargs" || name == "catch_varargs")) {
    fail("asks a macro for '" + name + "', which is not supported");
  }
  return find_method(object, name);
}

// The index of an item, from the begin; nullopt if there is none.
std::optional<size_t> place_of(int64_t index, size_t size) {
  if (index < 0) index += static_cast<int64_t>(size);
  if (index < 0 || index >= static_cast<int64_t>(size)) return std::nullopt;
  return static_cast<size_t>(index);
}

std::optional<Value> python_item(const Value& object, const Value& index) {
  if (const Dict* dict = object.dict()) {
    const Value* member = dict->find(index);
    return member == nullptr ? std::nullopt : std::optional(*member);
  }
  const auto number = index.integer();
  if (!number) return std::nullopt;
  if (const Sequence* sequence = object.sequence()) {
    if (sequence->kind == Sequence::Kind::kView) return std::nullopt;
    const auto place = place_of(*number, sequence->items.size());
    return place ? std::optional(sequence->items[*place]) : std::nullopt;
  }
  if (const Text* text = object.text()) {
    if (text->is_markup) fail("takes a character of a safe text, which is not supported");
    const auto place = place_of(*number, count_characters(text->bytes));
    if (!place) return std::nullopt;
    const size_t begin = offset_of_character(text->bytes, *place);
    size_t end = begin;
    next_character(text->bytes, end);
    return part_of(*text, begin, end);
  }
  return std::nullopt;
}

std::optional<int64_t> bound_of(const Value& bound) {
  if (bound.is_none()) return std::nullopt;
  require_defined(bound);
  const auto number = bound.integer();
  if (!number) fail("has a slice whose bound is " + kind_of(bound));
  return number;
}

// Which items a slice has: `count` of them from `first`, each `step` after the one before.
struct SlicePlan {
  int64_t first = 0;
  int64_t step = 1;
  int64_t count = 0;
};

SlicePlan plan_slice(const Value& begin, const Value& end, const Value& step, size_t items) {
  const auto size = static_cast<int64_t>(items);
  SlicePlan plan;
  plan.step = bound_of(step).value_or(1);
  if (plan.step == 0) fail("has a slice whose step is 0");
  const bool forward = plan.step > 0;
  const int64_t lowest = forward ? 0 : -1;
  const int64_t highest = forward ? size : size - 1;
  const auto place = [&](std::optional<int64_t> bound, int64_t fallback) {
    if (!bound) return fallback;
    // Not below -size - 1, so that the sum does not overflow.
    const int64_t moved = *bound < 0 ? std::max(*bound, -size - 1) + size : *bound;
    return std::clamp(moved, lowest, highest);
  };
  plan.first = place(bound_of(begin), forward ? lowest : highest);
  const int64_t last = place(bound_of(end), forward ? highest : lowest);
  const int64_t distance = forward ? last - plan.first : plan.first - last;
  if (distance <= 0) return plan;
  // Of a step beyond the distance only the first item is left.
  const int64_t stride = forward ? std::min(plan.step, distance) : -std::max(plan.step, -distance);
  plan.count = (distance - 1) / stride + 1;
  plan.step = forward ? stride : -stride;
  return plan;
}

}  // namespace

Value attribute_of(const Value& object, const std::string& name) {
  require_defined(object);
  if (auto value = python_attribute(object, name)) return *value;
  if (auto value = python_item(object, Value::string(name))) return *value;
  return missing(object, name);
}

Value item_of(const Value& object, const Value& index) {
  require_defined(object);
  if (auto value = python_item(object, index)) return *value;
  if (const Text* name = index.text()) {
    if (auto value = python_attribute(object, name->bytes)) return *value;
    return missing(object, name->bytes);
  }
  return missing(object, index.integer() ? "item " + std::to_string(*index.integer()) : "an item");
}

Value slice_of(const Value& object, const Value& begin, const Value& end, const Value& step,
               Budget& budget) {
  require_defined(object);
  const Text* text = object.text();
  if (text != nullptr && text->is_markup) fail("slices a safe text, which is not supported");
  const Sequence* sequence = object.sequence();
  if (text == nullptr && (sequence == nullptr || sequence->kind == Sequence::Kind::kView)) {
    fail("slices " + kind_of(object));
  }
  const SlicePlan plan = plan_slice(begin, end, step, length_of(object));
  budget.take(static_cast<size_t>(plan.count));
  if (text != nullptr && plan.step == 1) {
    const size_t from = offset_of_character(text->bytes, static_cast<size_t>(plan.first));
    const size_t size = offset_of_character(std::string_view(text->bytes).substr(from),
                                            static_cast<size_t>(plan.count));
    return part_of(*text, from, from + size);
  }
  const std::vector<Value> items = items_of(object, budget);
  std::vector<Value> picked;
  for (int64_t i = 0; i < plan.count; ++i) {
    picked.push_back(items[static_cast<size_t>(plan.first + i * plan.step)]);
  }
  if (text == nullptr) return make_sequence(sequence->kind, std::move(picked));
  Text result;
  for (const Value& character : picked) result.append(*character.text());
  return result;
}

}  // namespace pdl::jinja
