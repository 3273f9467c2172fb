// The files of a Hugging Face folder beside the weights, which a trained folder has unchanged.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace pdl {

// The name of a file in the folder, which may lie in a folder of it, and its content.
struct CompanionFile {
  std::string name;
  std::string content;
};

// Reads config.json, generation_config.json, and the files of tokenizer and chat template that are
// there: into memory, because training is long and the folder may be gone at its end. Throws
// ModelError for one that cannot be read, or without config.json.
std::vector<CompanionFile> read_companion_files(const std::filesystem::path& folder);

}  // namespace pdl
