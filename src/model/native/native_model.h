// The model of a Hugging Face folder, computed by the decoder of this program.
#pragma once

#include <filesystem>
#include <memory>

#include "pdl/model/language_model.h"
#include "pdl/model/load_model.h"

namespace pdl {

// See load_language_model().
std::unique_ptr<LanguageModel> load_native_model(const std::filesystem::path& folder,
                                                 const LoadOptions& options);

}  // namespace pdl
