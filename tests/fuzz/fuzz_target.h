// Helpers of the fuzz targets. Each *_fuzz.cpp is one target, which defines
// LLVMFuzzerTestOneInput(). libFuzzer calls it with generated inputs (scripts/fuzz.sh), and in the
// tests corpus_driver.cpp calls it with those of corpus/<target>. A target accepts the errors that
// the parser's header documents; any other exception, and a property that does not hold, ends the
// process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "support/temp_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace pdl {

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", property);
  std::abort();
}

// Returns what parse() returns, or nullopt if it throws Blame. Other exceptions are not caught.
template <class Blame, class Parse>
auto accepted(const Parse& parse) -> std::optional<decltype(parse())> {
  try {
    return parse();
  } catch (const Blame& refusal) {
    require(*refusal.what() != '\0', "a refusal says why");
    return std::nullopt;
  }
}

// Writes a file with this content, for parsers that read files, and returns its path. The next call
// with the same name replaces it.
inline std::string input_file(std::string_view name, std::string_view content) {
  static const TempFolder folder;
  // Removed first, because in some file systems overwriting waits for the disk.
  std::filesystem::remove(folder / name);
  return folder.file(name, content);
}

}  // namespace pdl
