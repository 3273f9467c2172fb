// The log: lines on stderr with time and level, and the same lines in a file once there is one.
// Nothing else in the library writes to stderr. Control characters are escaped, in the progress
// line too. Thread-safe.
#pragma once

#include <filesystem>
#include <string_view>

namespace pdl {

// Write a line of the log, without a newline at its end.
void log_info(std::string_view line);
void log_warning(std::string_view line);

// Appends every line to `path` from now on, and first the lines logged so far: the file is complete
// although a run creates its output folder only after every check. Throws StorageError.
void open_log_file(const std::filesystem::path& path);

// Shows `line` as the progress line of the terminal, replacing the last one; log lines go above it.
// An empty line removes it. Does nothing if stderr is not a terminal.
void show_progress(std::string_view line);

// True if stderr is a terminal, so that show_progress() shows anything.
bool progress_is_visible();

}  // namespace pdl
