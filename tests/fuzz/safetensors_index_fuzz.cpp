// The index of a model in several safetensors files.
#include <filesystem>

#include "fuzz_target.h"
#include "pdl/safetensors/index.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pdl;
  const std::string_view text = text_of(data, size);
  SafetensorsIndex index;
  const std::string problem = try_parse_safetensors_index(text, index);
  if (!problem.empty()) return 0;
  require(text.find('\0') == std::string_view::npos, "nothing hides after the JSON");
  require(!index.weight_map.empty(), "an index names a tensor");
  const std::filesystem::path folder = "folder";
  for (const auto& [tensor, file] : index.weight_map) {
    const std::filesystem::path path = (folder / file).lexically_normal();
    require(path.parent_path() == folder && path.filename() == file, "a file is beside the index");
    require(file.find('\0') == std::string::npos, "the system sees the whole name");
  }
  return 0;
}
