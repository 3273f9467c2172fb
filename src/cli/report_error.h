// The one place where an error becomes a line on stderr and an exit code.
#pragma once

#include <exception>

namespace pdl {

// Prints `error: …` and returns the exit code of the current exception.
int report_error(const std::exception_ptr& thrown);

}  // namespace pdl
