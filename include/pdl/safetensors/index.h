// The index of a model whose tensors lie in several safetensors files (huggingface/transformers,
// *.safetensors.index.json):
//   {"metadata": {"total_size": ..}, "weight_map": {"tensor": "model-00001-of-00002.safetensors"}}
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace pdl {

// The content of an index: which file has which tensor.
struct SafetensorsIndex {
  // Tensor -> file beside the index: a plain name, so that no index reaches into other folders.
  std::map<std::string, std::string> weight_map;
};

// Reads the text of an index; what it holds besides weight_map does not matter. Returns "" or what
// is wrong, as a phrase that follows the file's name.
std::string try_parse_safetensors_index(std::string_view text, SafetensorsIndex& index);

// Reads an index file in the same way.
std::string try_read_safetensors_index(const std::filesystem::path& path, SafetensorsIndex& index);

}  // namespace pdl
