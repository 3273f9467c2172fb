// Writes tensors into a safetensors file.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

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

// A whole tensor that is made when its turn comes, so that one exists at a time.
struct TensorSource {
  std::string name;
  std::vector<int64_t> shape;
  at::ScalarType dtype;
  std::function<at::Tensor()> make;  // of that shape and dtype, on any device; called once
};

// Does the same with whole tensors that are made one by one.
FileDigest write_tensors(const std::filesystem::path& path, std::span<const TensorSource> sources);

}  // namespace pdl
