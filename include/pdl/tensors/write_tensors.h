// Writes tensors into a safetensors file.
#pragma once

#include <filesystem>
#include <span>

#include "pdl/base/file_digest.h"
#include "pdl/tensors/named_tensor.h"

namespace pdl {

// Returns true if safetensors has the tensor's dtype and layout.
bool can_be_saved(const at::Tensor& tensor);

// Writes slices, in the order given, into a new file and syncs it. A slice that is all of its
// tensor becomes an entry that any reader of safetensors understands; another becomes an entry with
// a part, see pdl/safetensors/header.h. Tensors that are on a device, or not contiguous, are copied
// to the host one at a time. The digest is of the bytes passed to the file, so that reading the
// file back against it verifies the write. Throws StorageError, and ModelError for a dtype that
// safetensors does not have.
FileDigest write_tensors(const std::filesystem::path& path, std::span<const TensorSlice> slices);

}  // namespace pdl
