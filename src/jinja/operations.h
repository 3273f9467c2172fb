// What Python does with values: truth, comparison, arithmetic, members. Private to the module.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "budget.h"
#include "pdl/jinja/value.h"

namespace pdl::jinja {

// The name of a value's kind in messages, e.g. "a string".
std::string kind_of(const Value& value);

// Fails with its message if the value is undefined.
void require_defined(const Value& value);

bool is_true(const Value& value);
bool are_equal(const Value& left, const Value& right, Budget& budget);
// Python's left < right. Fails for kinds that have no order.
bool is_less(const Value& left, const Value& right, Budget& budget);
bool is_in(const Value& item, const Value& container, Budget& budget);
// == != < <= > >= in not-in
bool compare(const std::string& symbol, const Value& left, const Value& right, Budget& budget);
// + - * / // % **
Value calculate(const std::string& symbol, const Value& left, const Value& right, Budget& budget);
Value with_sign(bool is_negative, const Value& value);

// The items of what can be looped over; takes those of an iterator. Fails for other values.
std::vector<Value> items_of(const Value& value, Budget& budget);
// Python's len().
size_t length_of(const Value& value);

// object.name and object[index], as Jinja's sandbox finds them.
Value attribute_of(const Value& object, const std::string& name);
Value item_of(const Value& object, const Value& index);
// object[begin:end:step]; None stands for a part that is not given.
Value slice_of(const Value& object, const Value& begin, const Value& end, const Value& step,
               Budget& budget);

}  // namespace pdl::jinja
