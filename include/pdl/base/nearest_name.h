// What somebody probably meant who mistyped a name.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pdl {

// Returns the one of `names` that was probably meant by `name`: the nearest within few edits, or
// the first that contains it; "" if there is none.
std::string nearest_name(std::string_view name, std::span<const std::string_view> names);

}  // namespace pdl
