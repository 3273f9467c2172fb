#include "cli/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "pdl/base/error.h"
#include "pdl/base/file.h"

namespace pdl {

void write_result(const std::string& path, std::string_view result) {
  if (!path.empty()) {
    write_file_durably(path, result);
    return;
  }
  const bool complete = std::fwrite(result.data(), 1, result.size(), stdout) == result.size() &&
                        std::fflush(stdout) == 0;
  if (!complete) throw StorageError(std::string("cannot write to stdout: ") + std::strerror(errno));
}

}  // namespace pdl
