// Tensors in a safetensors file.
#pragma once

#include <filesystem>
#include <vector>

#include "pdl/model/language_model.h"

namespace pdl {

// Writes tensors of any device, in the order given, durably. Throws StorageError.
void save_tensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors);

// Copies the file's data into `tensors`. Throws CheckpointError unless the file holds exactly these
// names with these shapes and dtypes; nothing is copied then.
void load_tensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors);

}  // namespace pdl
