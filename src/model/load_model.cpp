#include "pdl/model/load_model.h"

#include <string>
#include <system_error>

#include "native/native_model.h"
#include "pdl/base/error.h"
#include "torchscript/torchscript_model.h"

namespace pdl {

void require_model(const std::filesystem::path& path) {
  const auto refuse = [&](const std::string& why) {
    throw ModelError("model '" + path.string() + "' " + why);
  };
  std::error_code ignored;
  const auto type = std::filesystem::status(path, ignored).type();
  if (type == std::filesystem::file_type::not_found) refuse("does not exist");
  if (path.extension() == ".safetensors") refuse("is a file of weights; give its folder");
  if (type != std::filesystem::file_type::directory) return;
  const auto has = [&](const char* file) { return std::filesystem::exists(path / file, ignored); };
  if (has("metrics.jsonl") && has("frequency.json"))
    refuse("holds a run; give its folder model, if it has one");
  if (has("config.json")) return;
  if (has("adapter_config.json"))
    refuse("is an adapter; give its base, and the adapter as adapter_path");
  if (has("MANIFEST.json")) refuse("is a checkpoint; pdl-train export makes a model of it");
  refuse("has no config.json, which a Hugging Face folder has");
}

std::unique_ptr<LanguageModel> load_language_model(const std::filesystem::path& path,
                                                   const LoadOptions& options) {
  require_model(path);
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return load_native_model(path, options);
  if (options.gradient_checkpointing) {
    throw ConfigError("gradient_checkpointing: model '" + path.string() +
                      "' is a TorchScript file, which cannot do that; use a Hugging Face folder");
  }
  if (options.splits_products) {
    throw ConfigError("precision: model '" + path.string() +
                      "' is a TorchScript file, which knows no \"fp32x3\"; use \"fp32\"");
  }
  if (options.lora.is_on()) {
    throw ConfigError(std::string(options.lora.adapter.empty() ? "lora_rank" : "adapter_path") +
                      ": model '" + path.string() +
                      "' is a TorchScript file, which has no adapters; use a Hugging Face folder");
  }
  return load_torchscript_model(path, options);
}

}  // namespace pdl
