// The filters of templates by their names. Private to the module.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pdl/jinja/value.h"

namespace pdl::jinja {

class Budget;

// The values that a filter, a test, a method or a macro is called with.
struct CallArguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

using FilterFunction = Value (*)(const Value& input, const CallArguments& arguments,
                                 Budget& budget);

// nullptr: there is no filter of this name here.
FilterFunction find_filter(std::string_view name);

// Whether Jinja has a filter of this name.
bool is_filter_of_jinja(std::string_view name);

}  // namespace pdl::jinja
