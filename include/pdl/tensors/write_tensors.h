// Writes tensors into a safetensors file.
#pragma once

#include <filesystem>
#include <span>

#include "pdl/base/file_digest.h"
#include "pdl/tensors/named_tensor.h"

namespace pdl {

// Writes slices, in the order given, into a new file and syncs it. Those that are all of their
// tensor make a file as any reader of safetensors knows it; the others are entries with a part, see
// pdl/safetensors/header.h. Of what is not in the host's memory, or not contiguous, one tensor at a
// time is copied there. The digest is of what was to be written, so that it also tells whether the
// file is that. Throws StorageError, and ModelError for a dtype that safetensors does not know.
FileDigest write_tensors(const std::filesystem::path& path, std::span<const TensorSlice> slices);

}  // namespace pdl
