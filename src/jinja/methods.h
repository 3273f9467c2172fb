// The methods of strings, lists and dicts. Private to the module.
#pragma once

#include <optional>
#include <string>

#include "budget.h"
#include "filters.h"
#include "runtime.h"

namespace pdl::jinja {

// Returns what `object` has under this name as a method: one that may be called, or an undefined
// value for one that would change it; nullopt if it has none. Fails for one that is not supported
// only when it is called.
std::optional<Value> find_method(const Value& object, const std::string& name);

Value call_method(const Method& method, const CallArguments& arguments, Budget& budget);

// A global function; nullopt if there is none of this name.
std::optional<Value> find_function(std::string_view name);
// All but `namespace`.
Value call_function(const Function& function, const CallArguments& arguments, Budget& budget);

// What dict(…) or namespace(…) holds: the members of a dict or pairs, then the named arguments.
Dict members_from(const CallArguments& arguments, const char* function, Budget& budget);

}  // namespace pdl::jinja
