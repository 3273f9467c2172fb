// What the classes that write files share. Private to the module.
#pragma once

#include <filesystem>
#include <string_view>

namespace pdl {

// Throws StorageError: "cannot <action> '<path>': <the system's text for the number>".
[[noreturn]] void fail(std::string_view action, const std::filesystem::path& path,
                       int error_number);

// Writes all bytes, in as many calls as that takes. Throws StorageError.
void write_all(int descriptor, std::string_view bytes, const std::filesystem::path& path);

}  // namespace pdl
