// A causal language model that can be trained. TorchScript stands behind load_language_model().
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/tensors/named_tensor.h"

namespace pdl {

// Not thread-safe.
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;

  // logits [B, T, V] for input_ids [B, T] int64 in [0, V), on the model's device; logits[b][t]
  // depends on input_ids[b][0..t] alone. Throws ModelError if the program inside fails.
  virtual at::Tensor forward(const at::Tensor& input_ids) = 0;

  // Whether the program offers its two halves, so that the logits of a whole batch need not exist:
  // forward(ids) is head(hidden(ids)).
  virtual bool has_head() const = 0;
  // [B, T, D] for input_ids [B, T]; logits [B, N, V] for rows [B, N, D] of it, in any number.
  virtual at::Tensor hidden(const at::Tensor& input_ids) = 0;
  virtual at::Tensor head(const at::Tensor& hidden) = 0;

  // What forward, hidden and head are autocast to; none: they compute in their own dtypes.
  virtual std::optional<at::ScalarType> autocast_dtype() const = 0;

  // V, the width of the logits.
  virtual int64_t vocab_size() const = 0;
  virtual at::Device device() const = 0;

  // The distinct parameters, tied ones once and under their first name; those with requires_grad
  // are trained.
  virtual const std::vector<NamedTensor>& parameters() const = 0;
  // The distinct parameters and buffers: all that changes in training.
  virtual const std::vector<NamedTensor>& state() const = 0;
  // The same in the dtypes of the file: float32 parameters that it stores in 16 bits are rounded.
  virtual std::vector<NamedTensor> stored_state() const = 0;

  // Switches dropout and the like.
  virtual void set_training(bool training) = 0;

  // Writes the program with its present weights, as it was loaded: its training flag and the dtypes
  // of its parameters included.
  virtual void save(const std::function<void(std::string_view bytes)>& write) = 0;

  // SHA-256 of the file that was loaded.
  virtual const std::string& sha256() const = 0;
};

// Reads a TorchScript file onto `device` and proves it with one small forward. Parameters stored in
// bfloat16 or float16 become float32. Throws ModelError, with what is wrong, for a file that is
// missing, unreadable or no TorchScript program, for a forward that does not map int64 [B, T] to
// float logits [B, T, V] (a tensor, element 0 of a tuple, or "logits" of a dict), and for
// parameters of other dtypes. Warns about methods `hidden` and `head` that do not make up forward,
// and does without them.
std::unique_ptr<LanguageModel> load_language_model(
    const std::filesystem::path& path, at::Device device,
    std::optional<at::ScalarType> autocast_dtype = std::nullopt);

// Takes the parameters whose name (any of a tied one's names) a regular expression matches anywhere
// out of the training. Throws ConfigError for an expression that matches no name and if nothing is
// left to train.
void freeze_parameters(LanguageModel& model, const std::vector<std::string>& expressions);

// Elements of the parameters, tied ones once.
int64_t count_parameters(const LanguageModel& model, bool trainable_only);

}  // namespace pdl
