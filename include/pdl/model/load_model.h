// From a path to a model: the one place that knows every kind.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pdl/model/language_model.h"

namespace pdl {

struct LoadOptions {
  at::Device device = at::kCPU;
  // What forward, hidden and head are autocast to; none: they compute in their own dtypes.
  std::optional<at::ScalarType> autocast = std::nullopt;
  std::vector<std::string> freeze = {};  // see part_parameters()
};

// Reads a TorchScript file and proves it with one small forward. Parameters stored in bfloat16 or
// float16 become float32. Throws ModelError, with what is wrong, for a file that is missing,
// unreadable or no TorchScript program, for a forward that does not map int64 [B, T] to float
// logits [B, T, V] (a tensor, element 0 of a tuple, or "logits" of a dict), and for parameters of
// other dtypes; ConfigError for `freeze`. Warns about methods `hidden` and `head` that do not make
// up forward, and does without them.
std::unique_ptr<LanguageModel> load_language_model(const std::filesystem::path& path,
                                                   const LoadOptions& options = {});

}  // namespace pdl
