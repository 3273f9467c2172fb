// What the fuzz targets share. Each *_fuzz.cpp is one target: it defines LLVMFuzzerTestOneInput(),
// which libFuzzer calls with inputs that it makes up (scripts/fuzz.sh), and corpus_driver.cpp with
// those of corpus/<target>, in the tests. A target lets pass what the parser's header says of bad
// input; any other exception, and a property that does not hold, ends the process.
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

// What parse() returns; nullopt if it throws Blame. Other exceptions are not caught.
template <class Blame, class Parse>
auto accepted(const Parse& parse) -> std::optional<decltype(parse())> {
  try {
    return parse();
  } catch (const Blame& refusal) {
    require(*refusal.what() != '\0', "a refusal says why");
    return std::nullopt;
  }
}

// The path of a file with this content, for parsers that read files; the next call with the same
// name replaces it.
inline std::string input_file(std::string_view name, std::string_view content) {
  static const TempFolder folder;
  // A file that is overwritten instead waits for the disk in some file systems.
  std::filesystem::remove(folder / name);
  return folder.file(name, content);
}

}  // namespace pdl
