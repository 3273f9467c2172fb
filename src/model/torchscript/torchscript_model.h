// A TorchScript file as a LanguageModel.
#pragma once

#include <filesystem>
#include <memory>

#include "pdl/model/load_model.h"

namespace pdl {

// As load_language_model() says. What is saved is `model.pt`, the program as it was loaded with the
// present weights, its training flag and the dtypes of its parameters included, and
// `model.safetensors`, its parameters and buffers in those dtypes.
std::unique_ptr<LanguageModel> load_torchscript_model(const std::filesystem::path& path,
                                                      const LoadOptions& options);

}  // namespace pdl
