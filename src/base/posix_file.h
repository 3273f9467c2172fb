// Helpers of the classes that write files. Private to the module.
#pragma once

#include <filesystem>
#include <string_view>

namespace pdl {

// Throws StorageError: "cannot <action> '<path>': <the system's text for the number>".
[[noreturn]] void fail(std::string_view action, const std::filesystem::path& path,
                       int error_number);

// Writes all bytes, in as many calls as necessary. Throws StorageError.
void write_all(int descriptor, std::string_view bytes, const std::filesystem::path& path);

// Returns a name with kTemporaryPrefix in the folder of `path` that no other thread or process
// chooses at the same time.
std::filesystem::path temporary_name(const std::filesystem::path& path);

// Calls open(), again after a signal. Returns -1 with errno if it fails.
int open_retrying(const std::filesystem::path& path, int flags, unsigned mode = 0);

// Calls fsync(), again after a signal. Returns 0 or the error number. After any other failure the
// kernel may have dropped the data, so that a second success would prove nothing.
int sync_retrying(int descriptor);

}  // namespace pdl
