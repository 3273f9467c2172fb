#include "pdl/model/load_model.h"

#include <string>
#include <system_error>

#include "native/native_model.h"
#include "pdl/base/error.h"
#include "torchscript/torchscript_model.h"

namespace pdl {

std::unique_ptr<LanguageModel> load_language_model(const std::filesystem::path& path,
                                                   const LoadOptions& options) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return load_native_model(path, options);
  if (options.gradient_checkpointing) {
    throw ConfigError("gradient_checkpointing: model '" + path.string() +
                      "' is a TorchScript file, which cannot do that; use a Hugging Face folder");
  }
  if (options.lora.is_on()) {
    throw ConfigError(std::string(options.lora.adapter.empty() ? "lora_rank" : "adapter_path") +
                      ": model '" + path.string() +
                      "' is a TorchScript file, which has no adapters; use a Hugging Face folder");
  }
  return load_torchscript_model(path, options);
}

}  // namespace pdl
