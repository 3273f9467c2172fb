// A causal language model that can be trained. Which kinds there are stands behind
// load_language_model() in load_model.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "pdl/model/parameter_set.h"

namespace pdl {

struct ModelInfo {
  std::string kind;            // "TorchScript"
  std::filesystem::path path;  // where it was loaded from
  int64_t vocab_size = 0;      // V, the width of the logits
  at::Device device = at::kCPU;
  // Whether the model offers its two halves, so that the logits of a whole batch need not exist.
  bool splits_head = false;
  std::string sha256;  // of the file that was loaded
};

// What hidden() and head() make of the parameters, e.g. a 16-bit copy, is kept while a scope of the
// model lives. Scopes nest. For one thread.
class ComputeScope {
 public:
  virtual ~ComputeScope() = default;
};

// Sequences that are continued token by token. `model` must outlive it.
class Decoding {
 public:
  virtual ~Decoding() = default;
  // Appends input_ids [B, N] int64, N >= 1, to the B sequences and returns the logits [B, V] of
  // what follows their last token. Without a gradient.
  virtual at::Tensor next(const at::Tensor& input_ids) = 0;
};

// Not thread-safe.
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;

  virtual const ModelInfo& info() const = 0;

  // logits [B, T, V] for input_ids [B, T] int64 in [0, V), on the model's device; logits[b][t]
  // depends on input_ids[b][0..t] alone. Throws ModelError if the model fails.
  virtual at::Tensor forward(const at::Tensor& input_ids) = 0;

  // Only if info().splits_head: forward(ids) is head(hidden(ids)).
  // [B, T, D] for input_ids [B, T]; logits [B, N, V] for positions [B, N, D] of it, in any number.
  virtual at::Tensor hidden(const at::Tensor& input_ids) = 0;
  virtual at::Tensor head(const at::Tensor& hidden) = 0;

  virtual std::unique_ptr<ComputeScope> compute_scope() = 0;

  // Begins to decode without any token.
  virtual std::unique_ptr<Decoding> start_decoding() = 0;

  // All that a forward depends on, sharing memory with the model.
  virtual const ParameterSet& parameters() const = 0;

  // Switches dropout and the like.
  virtual void set_training(bool training) = 0;

  // Writes the model with its present weights into `folder`, in the kind that was loaded. Throws
  // StorageError; each file is complete or not there.
  virtual void save(const std::filesystem::path& folder) = 0;
};

}  // namespace pdl
