// A Hugging Face folder: the weights, and the files beside them, which a trained folder has
// unchanged.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pdl/tensors/write_tensors.h"

namespace pdl {

// Of the weights in a folder: one file, or the index of several.
inline constexpr const char* kHfWeightsFile = "model.safetensors";
inline constexpr const char* kHfIndexFile = "model.safetensors.index.json";
// The folder that a run writes.
inline constexpr const char* kHfFolder = "model";

// The name of a file in the folder, which may lie in a folder of it, and its content.
struct CompanionFile {
  std::string name;
  std::string content;
};

// Reads config.json, generation_config.json, and the files of tokenizer and chat template that are
// there: into memory, because training is long and the folder may be gone at its end. Throws
// ModelError for one that cannot be read, or without config.json.
std::vector<CompanionFile> read_companion_files(const std::filesystem::path& folder);

// Whether read_companion_files() reads a file of this name, so that it lies in the folder.
bool is_companion_file(const std::string& name);

// Splits tensors of these sizes into files of at most `max_bytes`, in order; a larger tensor has a
// file of its own. Returns the number of tensors of each file.
std::vector<size_t> split_into_shards(const std::vector<int64_t>& sizes_in_bytes,
                                      int64_t max_bytes);

// Writes `tensors` into `folder` as model.safetensors or, if they take more than `max_bytes`, as
// shards with an index. Throws StorageError.
void write_weights(const std::filesystem::path& folder, const std::vector<TensorSource>& tensors,
                   int64_t max_bytes);

// Writes or replaces `folder` with these files and tensors. Weights of more than 5 GB become
// several files. Throws StorageError.
void write_hf_folder(const std::filesystem::path& folder, const std::vector<CompanionFile>& files,
                     const std::vector<TensorSource>& tensors);

}  // namespace pdl
