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

// A name with kTemporaryPrefix in the folder of `path`, which two threads or processes do not
// choose at the same time.
std::filesystem::path temporary_name(const std::filesystem::path& path);

// open() that goes on after a signal; -1 with errno if it fails.
int open_retrying(const std::filesystem::path& path, int flags, unsigned mode = 0);

// fsync() that goes on after a signal. Returns 0 or the error number. After any other failure the
// kernel may have dropped the data: trying again would prove nothing.
int sync_retrying(int descriptor);

}  // namespace pdl
