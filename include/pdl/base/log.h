// The log: lines on stderr with time and level, and the same lines in a file once there is one. The
// only place of the library that writes to stderr. Control characters in a line, the progress line
// too, are shown escaped. Thread-safe.
#pragma once

#include <filesystem>
#include <string_view>

namespace pdl {

void log_info(std::string_view line);
void log_warning(std::string_view line);

// Copies every line to `path` from now on, appending; lines logged before are written to it first,
// so that the file is whole although a run creates its output folder only after every check. Throws
// StorageError.
void open_log_file(const std::filesystem::path& path);

// Shows `line` as the progress line of the terminal, replacing the one before; log lines go above
// it. An empty line removes it. Does nothing where stderr is not a terminal.
void show_progress(std::string_view line);

// True if stderr is a terminal, i.e. if show_progress() shows anything.
bool progress_is_visible();

}  // namespace pdl
