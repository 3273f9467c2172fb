// generation_config.json of a Hugging Face folder.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/generation/generate.h"

namespace pdl {

// What was read of the file, for the log.
struct GenerationConfigNotes {
  std::vector<std::string> heeded;      // e.g. "temperature 0.6"
  std::vector<std::string> overridden;  // likewise, of fields that were typed as flags
  std::vector<std::string> unknown;  // names of fields that could change a text and are not known
};

// Sets the options that the folder's generation_config.json names, unless `is_typed` says that a
// flag of the same name was given. As in transformers, chance and its filters count only with
// do_sample; unlike there, nothing is filtered that the file does not name. Throws ModelError if
// there is no such file, or for a value that is not of the field's kind.
GenerationConfigNotes apply_generation_config(
    const std::filesystem::path& model_path,
    const std::function<bool(std::string_view name)>& is_typed, GenerationOptions& options);

}  // namespace pdl
