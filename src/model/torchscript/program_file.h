// The file of a TorchScript program: an archive that also holds what its writer put beside the
// program.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <filesystem>
#include <string>

namespace pdl {

// Returns the SHA-256 of the file. Throws ModelError for one that cannot be read or is no archive.
std::string hash_program_file(const std::filesystem::path& path);

// Returns the names of the files beside the program, for torch::jit::load() to fill in.
torch::jit::ExtraFilesMap extra_file_names(const std::filesystem::path& path);

}  // namespace pdl
