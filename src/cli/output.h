// Writes a command's result.
#pragma once

#include <string>
#include <string_view>

namespace pdl {

// Writes `result` durably to the file `path`, or to stdout if it is empty. Throws StorageError.
void write_result(const std::string& path, std::string_view result);

}  // namespace pdl
