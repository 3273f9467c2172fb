// MANIFEST.json: what the files of a checkpoint are. A checkpoint is as its manifest says, or it is
// damaged.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "pdl/base/file_digest.h"

namespace pdl {

struct Manifest {
  int64_t step = 0;
  std::map<std::string, FileDigest> files;  // by name, without the manifest
};

// The text of MANIFEST.json.
std::string to_json(const Manifest& manifest);

// The inverse. Throws CheckpointError, with `name`, for any text that to_json() does not give, so
// that each changed byte of a manifest is either refused here or names another step, size or hash.
Manifest parse_manifest(std::string_view text, const std::string& name);

}  // namespace pdl
