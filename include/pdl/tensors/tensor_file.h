// Tensors in a safetensors file.
#pragma once

#include <filesystem>
#include <vector>

#include "pdl/base/file_digest.h"
#include "pdl/tensors/named_tensor.h"

namespace pdl {

// Writes tensors of any device, in the order given, into a new file and syncs it. The digest is of
// what was to be written, so that it also tells whether the file is that. Throws StorageError.
FileDigest save_tensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors);

// Copies the file's data into `tensors`. Throws CheckpointError unless the file holds exactly these
// names with these shapes and dtypes; nothing is copied then.
void load_tensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors);

}  // namespace pdl
