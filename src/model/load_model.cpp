#include "pdl/model/load_model.h"

#include "torchscript/torchscript_model.h"

namespace pdl {

std::unique_ptr<LanguageModel> load_language_model(const std::filesystem::path& path,
                                                   const LoadOptions& options) {
  return load_torchscript_model(path, options);
}

}  // namespace pdl
