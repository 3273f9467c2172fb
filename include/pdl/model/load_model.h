// Loads a model from a path: the one place that knows every kind.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pdl/model/language_model.h"
#include "pdl/model/lora.h"

namespace pdl {

// Where a model computes, in which dtype, and what of it is not trained.
struct LoadOptions {
  at::Device device = at::kCPU;
  // The dtype to which forward, hidden and head are autocast; none: they compute in their own
  // dtypes.
  std::optional<at::ScalarType> autocast = std::nullopt;
  // Products of ProductPrecision::kBfloat16x3. For Hugging Face folders on the CPU.
  bool splits_products = false;
  std::vector<std::string> freeze = {};  // see part_parameters()
  // Keeps little of forward, and computes the rest again in backward. For Hugging Face folders.
  bool gradient_checkpointing = false;
  LoraOptions lora = {};  // for Hugging Face folders
  // Else a folder has no gradients, and on the CPU keeps weights that are all bfloat16 so.
  bool trains = true;
  // Another thread hashes the files of a folder at once, because sha256() will be asked for.
  bool hashes = false;
};

// Throws ModelError if nothing lies at `path` that could be a model, and says what it is instead.
void require_model(const std::filesystem::path& path);

// Loads what lies at `path`: a TorchScript file, or a Hugging Face folder.
//
// A folder is computed by this program's own decoder. It holds config.json, see
// families/read_decoder_spec.h, and model.safetensors, or its shards with an index. Throws
// ModelError for a folder that is not supported or not whole.
//
// A TorchScript file is checked with one small forward. Parameters stored in bfloat16 or
// float16 become float32. forward must map int64 [B, T] to float logits [B, T, V]: a tensor,
// element 0 of a tuple, or "logits" of a dict. Methods `hidden` and `head` that do not add up to
// forward are not used, with a warning. Throws ModelError, with what is wrong, for a file that is
// missing, unreadable or not a TorchScript program, for another forward, and for parameters of
// other dtypes. Throws ConfigError for `freeze`.
std::unique_ptr<LanguageModel> load_language_model(const std::filesystem::path& path,
                                                   const LoadOptions& options = {});

}  // namespace pdl
