// Tries work that may end the process in a child process first, e.g. a library that aborts on
// malformed input.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace pdl {

// What the child process of run_contained() may use.
struct ContainedLimits {
  int64_t max_bytes;        // address space on top of what this process has
  int64_t max_cpu_seconds;  // CPU time of the child
};

// Calls `work` in a child process, whose output is dropped. Returns what `work` returns, cut to
// some 200 bytes of printable text. If `work` throws, exceeds a limit or ends the process, returns
// a phrase that says what happened. Throws std::bad_alloc if this process itself is not given the
// memory, and std::system_error if no child can be started. `work` must not wait for other threads:
// it would hang, because the child has none of them.
std::string run_contained(const std::function<std::string()>& work, const ContainedLimits& limits);

}  // namespace pdl
