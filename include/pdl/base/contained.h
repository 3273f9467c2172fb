// Work that may end the process, such as a library that aborts on malformed input, tried in a child
// process first.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace pdl {

struct ContainedLimits {
  int64_t max_bytes;        // of address space beyond what this process has
  int64_t max_cpu_seconds;  // of the child
};

// Calls `work` in a child process, whose output is dropped. Returns what `work` returns, cut to
// some 200 bytes of printable text; or, if it throws, exceeds a limit or ends the process, what
// happened, as a phrase. Throws std::bad_alloc if this process itself is not given the memory, and
// std::system_error if no child can be started. `work` may not wait for other threads: the child
// has none of them.
std::string run_contained(const std::function<std::string()>& work, const ContainedLimits& limits);

}  // namespace pdl
