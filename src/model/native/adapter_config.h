// adapter_config.json of PEFT.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace pdl {

inline constexpr const char* kAdapterWeightsFile = "adapter_model.safetensors";

// What it says of a LoRA adapter.
struct AdapterConfig {
  int64_t rank = 0;
  double alpha = 0;
  double dropout = 0;
  std::vector<std::string> target_modules = {};
  bool scales_by_root = false;  // rsLoRA: alpha / √rank
};

// Reads the file in `folder`. Throws ModelError that names what is not supported: another kind of
// adapter, biases, modules with ranks of their own, and the like.
AdapterConfig read_adapter_config(const std::filesystem::path& folder);

// Writes it. `base` is the folder of the base model, `fan_in_fan_out` whether its matrices are
// [in, out]. Throws StorageError.
void write_adapter_config(const std::filesystem::path& folder, const AdapterConfig& config,
                          const std::filesystem::path& base, bool fan_in_fan_out);

}  // namespace pdl
