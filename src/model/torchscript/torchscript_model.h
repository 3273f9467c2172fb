// A TorchScript file as a LanguageModel.
#pragma once

#include <filesystem>
#include <memory>

#include "pdl/model/load_model.h"

namespace pdl {

// Loads as load_language_model() says. save() writes two files. `model.pt` is the program as it was
// loaded, with the current weights, its training flag and the dtypes of its parameters.
// `model.safetensors` holds its parameters and buffers in those dtypes. For a file of
// scripts/export_model.py, the buffers that transformers does not persist are left out, and there
// is a third, the folder `model`: the Hugging Face folder with the current weights.
std::unique_ptr<LanguageModel> load_torchscript_model(const std::filesystem::path& path,
                                                      const LoadOptions& options);

}  // namespace pdl
