#include "operations.h"

#include <algorithm>
#include <cmath>

#include "characters.h"
#include "methods.h"
#include "pdl/base/unicode.h"
#include "printing.h"
#include "runtime.h"
#include "strings.h"

namespace pdl::jinja {

std::string kind_of(const Value& value) {
  if (value.is_none()) return "None";
  if (value.is_undefined()) return "an undefined value";
  if (value.get<bool>() != nullptr) return "a boolean";
  if (value.number()) return "a number";
  if (value.text() != nullptr) return "a string";
  if (value.dict() != nullptr) return "a dict";
  if (value.iterator() != nullptr) return "a generator";
  if (value.space() != nullptr) return "a namespace";
  if (value.method() != nullptr) return "the method '" + value.method()->name + "'";
  if (value.sequence() == nullptr) return "a function";
  switch (value.sequence()->kind) {
    case Sequence::Kind::kList:
      return "a list";
    case Sequence::Kind::kTuple:
      return "a tuple";
    case Sequence::Kind::kRange:
      return "a range";
    default:
      return "a view of a dict";
  }
}

void require_defined(const Value& value) {
  if (value.is_undefined()) fail(*value.get<Undefined>()->message);
}

bool is_true(const Value& value) {
  if (value.is_none() || value.is_undefined()) return false;
  if (const auto number = value.number()) return *number != 0;
  if (value.text() != nullptr) return !value.text()->bytes.empty();
  if (value.sequence() != nullptr) return !value.sequence()->items.empty();
  if (value.dict() != nullptr) return !value.dict()->members().empty();
  return true;
}

namespace {

bool is_view(const Value& value) {
  return value.sequence() != nullptr && value.sequence()->kind == Sequence::Kind::kView;
}

bool have_equal_members(const Dict& left, const Dict& right, Budget& budget) {
  if (left.members().size() != right.members().size()) return false;
  for (const auto& [key, value] : left.members()) {
    const Value* other = right.find(key);
    if (other == nullptr || !are_equal(value, *other, budget)) return false;
  }
  return true;
}

[[noreturn]] void fail_between(const std::string& symbol, const Value& left, const Value& right) {
  require_defined(left);
  require_defined(right);
  fail("has " + kind_of(left) + " " + symbol + " " + kind_of(right));
}

}  // namespace

bool are_equal(const Value& left, const Value& right, Budget& budget) {
  budget.take();
  if (left.text() != nullptr && right.text() != nullptr) {
    budget.take(left.text()->bytes.size() / 64);
    return left.text()->bytes == right.text()->bytes;
  }
  if (left.integer() && right.integer()) return left.integer() == right.integer();
  if (left.number() && right.number()) return left.number() == right.number();
  if (left.is_none() || right.is_none()) return left.is_none() && right.is_none();
  if (left.is_undefined() || right.is_undefined()) {
    return left.is_undefined() && right.is_undefined();
  }
  if (left.dict() != nullptr && right.dict() != nullptr) {
    return have_equal_members(*left.dict(), *right.dict(), budget);
  }
  if (is_view(left) || is_view(right)) fail("compares a view of a dict, which is not supported");
  if (left.sequence() != nullptr && right.sequence() != nullptr) {
    const auto& [kind, items, depth] = *left.sequence();
    const Sequence& other = *right.sequence();
    return kind == other.kind && items.size() == other.items.size() &&
           std::equal(items.begin(), items.end(), other.items.begin(),
                      [&](const Value& a, const Value& b) { return are_equal(a, b, budget); });
  }
  if (left.method() != nullptr && right.method() != nullptr) {
    fail("compares methods, which is not supported");
  }
  return (left.space() != nullptr && left.space() == right.space()) ||
         (left.macro() != nullptr && left.macro() == right.macro()) ||
         (left.loop() != nullptr && left.loop() == right.loop()) ||
         (left.iterator() != nullptr && left.iterator() == right.iterator());
}

bool is_less(const Value& left, const Value& right, Budget& budget) {
  budget.take();
  if (left.integer() && right.integer()) return *left.integer() < *right.integer();
  if (left.number() && right.number()) return *left.number() < *right.number();
  if (left.text() != nullptr && right.text() != nullptr) {
    return left.text()->bytes < right.text()->bytes;  // UTF-8 is in the order of characters
  }
  const Sequence* first = left.sequence();
  const Sequence* second = right.sequence();
  if (first == nullptr || second == nullptr || first->kind != second->kind ||
      first->kind == Sequence::Kind::kRange || first->kind == Sequence::Kind::kView) {
    fail_between("<", left, right);
  }
  for (size_t i = 0; i < first->items.size() && i < second->items.size(); ++i) {
    if (are_equal(first->items[i], second->items[i], budget)) continue;
    return is_less(first->items[i], second->items[i], budget);
  }
  return first->items.size() < second->items.size();
}

bool is_in(const Value& item, const Value& container, Budget& budget) {
  if (container.text() != nullptr) {
    if (item.text() == nullptr) fail_between("in", item, container);
    budget.take(container.text()->bytes.size() / 64 + 1);
    return container.text()->bytes.find(item.text()->bytes) != std::string::npos;
  }
  if (container.is_undefined()) return false;
  if (container.dict() != nullptr) {
    require_key(item);
    return container.dict()->find(item) != nullptr;
  }
  if (Iterator* iterator = container.iterator()) {
    while (iterator->next < iterator->items.size()) {
      if (are_equal(iterator->items[iterator->next++], item, budget)) return true;
    }
    return false;
  }
  if (container.sequence() == nullptr) fail_between("in", item, container);
  return std::any_of(container.sequence()->items.begin(), container.sequence()->items.end(),
                     [&](const Value& other) { return are_equal(other, item, budget); });
}

bool compare(const std::string& symbol, const Value& left, const Value& right, Budget& budget) {
  if (symbol == "==") return are_equal(left, right, budget);
  if (symbol == "!=") return !are_equal(left, right, budget);
  if (symbol == "in") return is_in(left, right, budget);
  if (symbol == "not in") return !is_in(left, right, budget);
  const auto first = left.number();
  const auto second = right.number();
  if (first && second && (std::isnan(*first) || std::isnan(*second))) return false;
  if (symbol == "<") return is_less(left, right, budget);
  if (symbol == ">") return is_less(right, left, budget);
  if (symbol == "<=") return !is_less(right, left, budget);
  return !is_less(left, right, budget);
}

namespace {

[[noreturn]] void fail_overflow() {
  fail("computes a number beyond 64 bits, which is not supported");
}

Value power_of(int64_t base, int64_t exponent) {
  if (exponent < 0) fail("has a negative exponent, which is not supported");
  if (base == 0) return int64_t{exponent == 0 ? 1 : 0};
  if (base == 1 || base == -1) return exponent % 2 == 0 ? int64_t{1} : base;
  int64_t result = 1;
  for (int64_t i = 0; i < exponent; ++i) {
    if (__builtin_mul_overflow(result, base, &result)) fail_overflow();
  }
  return result;
}

// Rounds towards minus infinity, as Python does.
int64_t floor_division(int64_t left, int64_t right) {
  const int64_t quotient = left / right;
  return left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient;
}

Value divide_integers(const std::string& symbol, int64_t left, int64_t right) {
  if (right == 0) fail("divides by zero");
  if (symbol == "/") return static_cast<double>(left) / static_cast<double>(right);
  if (right == -1 && symbol == "%") return int64_t{0};
  if (right == -1 && left == INT64_MIN) fail_overflow();
  const int64_t quotient = floor_division(left, right);
  return symbol == "//" ? quotient : left - quotient * right;
}

Value calculate_integers(const std::string& symbol, int64_t left, int64_t right) {
  int64_t result = 0;
  bool overflows = false;
  if (symbol == "+") {
    overflows = __builtin_add_overflow(left, right, &result);
  } else if (symbol == "-") {
    overflows = __builtin_sub_overflow(left, right, &result);
  } else if (symbol == "*") {
    overflows = __builtin_mul_overflow(left, right, &result);
  } else if (symbol == "**") {
    return power_of(left, right);
  } else {
    return divide_integers(symbol, left, right);
  }
  if (overflows) fail_overflow();
  return result;
}

Value calculate_reals(const std::string& symbol, double left, double right) {
  if (symbol == "+") return left + right;
  if (symbol == "-") return left - right;
  if (symbol == "*") return left * right;
  if (symbol == "**") fail("has a power of a fraction, which is not supported");
  if (right == 0) fail("divides by zero");
  if (symbol == "/") return left / right;
  double rest = std::fmod(left, right);
  if (rest != 0 && (rest < 0) != (right < 0)) rest += right;
  if (symbol == "%") return rest;
  return std::floor((left - rest) / right + 0.5);
}

Value added(const Value& left, const Value& right, Budget& budget) {
  if (left.text() != nullptr && right.text() != nullptr) {
    budget.take_bytes(left.text()->bytes.size() + right.text()->bytes.size());
    return joined_as_markup(*left.text(), *right.text());
  }
  const Sequence* first = left.sequence();
  const Sequence* second = right.sequence();
  const bool are_lists =
      first != nullptr && second != nullptr && first->kind == second->kind &&
      (first->kind == Sequence::Kind::kList || first->kind == Sequence::Kind::kTuple);
  if (!are_lists) fail_between("+", left, right);
  budget.take(first->items.size() + second->items.size());
  std::vector<Value> items = first->items;
  items.insert(items.end(), second->items.begin(), second->items.end());
  return make_sequence(first->kind, std::move(items));
}

Value repeated(const Value& value, int64_t times, Budget& budget) {
  const auto count = static_cast<size_t>(std::max<int64_t>(times, 0));
  if (const Text* text = value.text()) {
    if (text->bytes.empty() || count == 0) return Text{"", {}, text->is_markup};
    if (count > (size_t{1} << 40) / text->bytes.size()) budget.take_bytes(SIZE_MAX / 2);
    budget.take_bytes(text->bytes.size() * count);
    Text result{"", {}, text->is_markup};
    for (size_t i = 0; i < count; ++i) result.append(*text);
    return result;
  }
  const Sequence& sequence = *value.sequence();
  std::vector<Value> items;
  for (size_t i = 0; i < count && !sequence.items.empty(); ++i) {
    budget.take(sequence.items.size());
    items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  }
  return make_sequence(sequence.kind, std::move(items));
}

bool can_be_repeated(const Value& value) {
  return value.text() != nullptr ||
         (value.sequence() != nullptr && (value.sequence()->kind == Sequence::Kind::kList ||
                                          value.sequence()->kind == Sequence::Kind::kTuple));
}

}  // namespace

Value calculate(const std::string& symbol, const Value& left, const Value& right, Budget& budget) {
  if (left.integer() && right.integer()) {
    return calculate_integers(symbol, *left.integer(), *right.integer());
  }
  if (left.number() && right.number())
    return calculate_reals(symbol, *left.number(), *right.number());
  if (symbol == "+") return added(left, right, budget);
  if (symbol == "*" && can_be_repeated(left) && right.integer()) {
    return repeated(left, *right.integer(), budget);
  }
  if (symbol == "*" && can_be_repeated(right) && left.integer()) {
    return repeated(right, *left.integer(), budget);
  }
  if (symbol == "%" && left.text() != nullptr) {
    return formatted_by_percent(*left.text(), right, budget);
  }
  fail_between(symbol, left, right);
}

Value with_sign(bool is_negative, const Value& value) {
  require_defined(value);
  if (const auto whole = value.integer()) {
    return is_negative ? calculate_integers("-", 0, *whole) : Value(*whole);
  }
  if (const auto number = value.number()) return is_negative ? -*number : *number;
  fail("has a sign before " + kind_of(value));
}

std::vector<Value> items_of(const Value& value, Budget& budget) {
  std::vector<Value> items;
  if (value.sequence() != nullptr) {
    items = value.sequence()->items;
  } else if (const Dict* dict = value.dict()) {
    for (const auto& [key, member] : dict->members()) items.push_back(key);
  } else if (const Text* text = value.text()) {
    budget.take(text->bytes.size());
    for (size_t at = 0; at < text->bytes.size();) {
      const size_t begin = at;
      next_character(text->bytes, at);
      items.emplace_back(part_of(*text, begin, at));
    }
  } else if (Iterator* iterator = value.iterator()) {
    items.assign(iterator->items.begin() + static_cast<std::ptrdiff_t>(iterator->next),
                 iterator->items.end());
    iterator->next = iterator->items.size();
  } else if (!value.is_undefined()) {
    fail("loops over " + kind_of(value));
  }
  budget.take(items.size());
  return items;
}

size_t length_of(const Value& value) {
  if (value.text() != nullptr) return count_characters(value.text()->bytes);
  if (value.sequence() != nullptr) return value.sequence()->items.size();
  if (value.dict() != nullptr) return value.dict()->members().size();
  if (value.is_undefined()) return 0;
  fail("asks for the length of " + kind_of(value));
}

}  // namespace pdl::jinja
