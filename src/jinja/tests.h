// The tests of templates, as in `x is defined`, by their names. Private to the module.
#pragma once

#include <string_view>

#include "filters.h"

namespace pdl::jinja {

using TestFunction = bool (*)(const Value& input, const CallArguments& arguments, Budget& budget);

// nullptr: there is no test of this name here.
TestFunction find_test(std::string_view name);

// Whether Jinja has a test of this name.
bool is_test_of_jinja(std::string_view name);

}  // namespace pdl::jinja
