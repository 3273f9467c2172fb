// Tensors in a safetensors file.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "pdl/base/file_digest.h"
#include "pdl/tensors/named_tensor.h"

namespace pdl {

// Writes tensors of any device, in the order given, into a new file and syncs it. The digest is of
// what was to be written, so that it also tells whether the file is that. Throws StorageError.
FileDigest save_tensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors);

// Copies the file's data into `tensors`. Throws CheckpointError unless the file holds exactly these
// names with these shapes and dtypes; nothing is copied then. What the file holds under names that
// begin with `ignored_prefix` is left out, if it is not empty.
void load_tensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                  std::string_view ignored_prefix = {});

}  // namespace pdl
