// The global functions of templates.

#include <algorithm>
#include <array>

#include "call_arguments.h"
#include "date.h"
#include "methods.h"
#include "operations.h"
#include "pdl/base/unicode.h"
#include "printing.h"
#include "strings.h"

namespace pdl::jinja {
namespace {

constexpr std::array<Function, 8> kFunctions = {{{"range"},
                                                 {"dict"},
                                                 {"namespace"},
                                                 {"raise_exception"},
                                                 {"strftime_now"},
                                                 {"lipsum"},
                                                 {"cycler"},
                                                 {"joiner"}}};

constexpr int64_t kMaxRange = 100'000;  // Jinja's own limit

Value make_range(const CallArguments& arguments, Budget& budget) {
  const std::vector<Value>& given = arguments.positional;
  if (!arguments.named.empty() || given.empty() || given.size() > 3) {
    fail("calls range with arguments that it does not take");
  }
  std::vector<int64_t> bounds;
  for (const Value& value : given) {
    require_defined(value);
    const auto bound = value.integer();
    if (!bound) fail("calls range with " + kind_of(value));
    bounds.push_back(*bound);
  }
  const int64_t begin = bounds.size() > 1 ? bounds[0] : 0;
  const int64_t end = bounds.size() > 1 ? bounds[1] : bounds[0];
  const int64_t step = bounds.size() > 2 ? bounds[2] : 1;
  if (step == 0) fail("calls range with a step of 0");
  std::vector<Value> items;
  for (int64_t number = begin; step > 0 ? number < end : number > end;) {
    if (std::ssize(items) == kMaxRange) {
      fail("makes a range of more than " + std::to_string(kMaxRange) + " numbers");
    }
    items.emplace_back(number);
    if (__builtin_add_overflow(number, step, &number)) break;
  }
  budget.take(items.size());
  return make_sequence(Sequence::Kind::kRange, std::move(items));
}

}  // namespace

Dict members_from(const CallArguments& arguments, const char* function, Budget& budget) {
  if (arguments.positional.size() > 1) {
    fail(std::string("gives ") + function + " more than one argument");
  }
  Dict members;
  if (!arguments.positional.empty()) {
    const Value& given = arguments.positional.front();
    require_defined(given);
    if (given.dict() == nullptr) {
      for (const Value& pair : items_of(given, budget)) {
        const std::vector<Value> parts = items_of(pair, budget);
        if (parts.size() != 2) fail(std::string("gives ") + function + " what are no pairs");
        require_key(parts[0]);
        members.set(parts[0], parts[1]);
      }
    } else {
      members = *given.dict();
    }
  }
  for (const auto& [name, value] : arguments.named) members.set(Value::string(name), value);
  return members;
}

std::optional<Value> find_function(std::string_view name) {
  const auto found = std::find_if(kFunctions.begin(), kFunctions.end(),
                                  [&](const Function& function) { return function.name == name; });
  return found == kFunctions.end() ? std::nullopt : std::optional<Value>(*found);
}

Value call_function(const Function& function, const CallArguments& arguments, Budget& budget) {
  const std::string_view name = function.name;
  if (name == "range") return make_range(arguments, budget);
  if (name == "dict") return make_dict(members_from(arguments, "dict", budget));
  if (name == "raise_exception") {
    const BoundArguments bound(name, arguments, {"message"});
    fail("refuses the chat: " + printable(to_text(bound.required(0), budget).bytes, 160));
  }
  if (name == "strftime_now") {
    const BoundArguments bound(name, arguments, {"format"});
    const Text* format = bound.text(0);
    if (format == nullptr) fail("calls strftime_now without a format");
    return Value::string(formatted_date(budget.date(), format->bytes));
  }
  fail("calls " + std::string(name) + ", which is not supported");
}

}  // namespace pdl::jinja
