// The interface of a causal language model that can be trained. load_language_model() in
// load_model.h knows its implementations.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pdl/metrics/profiler.h"
#include "pdl/model/parameter_set.h"
#include "pdl/ops/cross_entropy.h"
#include "pdl/ops/evaluate_positions.h"
#include "pdl/ops/product.h"

namespace pdl {

// Sequences of tokens as a model takes them.
struct ModelInput {
  ModelInput(at::Tensor input_ids, at::Tensor starts = {})
      : ids(std::move(input_ids)), document_starts(std::move(starts)) {}

  at::Tensor ids;  // [B, T] int64 in [0, V), on the model's device
  // [B, T] int64: the position in its sequence of the first token of each token's document. No
  // token sees others than its document's, and positions begin at 0 in each. Undefined: a sequence
  // is one document. Only for models with ModelInfo::isolates_documents.
  at::Tensor document_starts;
};

// What is known of a model without running it.
struct ModelInfo {
  std::filesystem::path path;  // where it was loaded from
  int64_t vocab_size = 0;      // V, the width of the logits
  at::Device device = at::kCPU;
  // Whether hidden() and head() can be called, so that the logits of a whole batch need not exist.
  bool splits_head = false;
  // Whether head_gradient() and evaluate_head() need no logits in memory.
  bool fuses_head_and_loss = false;
  bool isolates_documents = false;  // takes ModelInput::document_starts
  // Whether forward is a program of the file, of which nothing is known until it has run.
  bool is_program = false;
  int64_t max_positions = 0;  // tokens in a sequence that it takes; 0: the file does not say
  at::ScalarType compute_dtype = at::kFloat;  // of products: that of autocast, if there is one
  ProductPrecision product_precision = ProductPrecision::kFloat32;  // of what is no program
};

// While a scope of the model lives, what hidden() and head() derive from the parameters is kept,
// e.g. a 16-bit copy. Scopes nest. For one thread.
class ComputeScope {
 public:
  virtual ~ComputeScope() = default;
};

// What head_gradient() computes.
struct HeadGradient {
  CrossEntropySums sums;
  at::Tensor hidden;  // [1, N, D], the gradient of the positions
};

// Continues sequences token by token, in evaluation mode. The model must outlive it.
class Decoding {
 public:
  virtual ~Decoding() = default;
  // Begins sequences with tokens in [0, V), at least one each, and returns the logits [B, V]
  // float32 of the next token of each, without a gradient. Call it once. On the CPU the logits of a
  // sequence are the same whatever others there are.
  virtual at::Tensor start(const std::vector<std::vector<int32_t>>& sequences) = 0;
  // Appends a token to each sequence, and returns the logits of the next.
  virtual at::Tensor next(std::span<const int32_t> ids) = 0;
  // Keeps these sequences, in this order; one may be kept more than once.
  virtual void select(std::span<const int64_t> sequences) = 0;
};

// Not thread-safe.
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;

  // Does not change after loading.
  virtual const ModelInfo& info() const = 0;

  // The SHA-256 of the files of the model, as they are when it is made. The first call may read
  // them, or wait until another thread has; it throws ModelError if they cannot be read.
  virtual std::string sha256() const = 0;

  // logits [B, T, V] of a batch; logits[b][t] depends on ids[b][0..t] alone. Throws ModelError if
  // the model fails.
  virtual at::Tensor forward(const ModelInput& input) = 0;

  // The halves of forward(), only if info().splits_head: forward(input) is head(hidden(input)).
  // hidden() gives [B, T, D]; head() gives logits [B, N, V] for any N positions [B, N, D] of that.
  virtual at::Tensor hidden(const ModelInput& input) = 0;
  virtual at::Tensor head(const at::Tensor& hidden) = 0;

  // Head and loss forward and backward, for positions [1, N, D] of what hidden() gave in training.
  // The other arguments are those of weighted_cross_entropy(), targets [1, N]. Adds the gradients
  // of the head's parameters. Only if info().splits_head.
  virtual HeadGradient head_gradient(const at::Tensor& hidden, const at::Tensor& targets,
                                     const at::Tensor& weights, const at::Tensor& weight_sum);
  // Returns evaluate_positions() of the logits of positions [1, N, D] of what hidden() gave, for
  // targets [1, N]. Only if info().splits_head.
  virtual PositionEvaluations evaluate_head(const at::Tensor& hidden, const at::Tensor& targets,
                                            const CountedVocabulary& vocabulary);
  // Adds the gradients of the other parameters, for that of `hidden`, which is what hidden() gave
  // last. Only if info().splits_head.
  virtual void backward(const at::Tensor& hidden, const at::Tensor& gradient);

  // From now on the operators of forward and backward are phases of `profiler`, if the model knows
  // them; null: they are not. It must outlive the model.
  virtual void set_profiler(Profiler* /*profiler*/) {}

  // Opens a scope; see ComputeScope.
  virtual std::unique_ptr<ComputeScope> compute_scope() = 0;

  // Unless the model knows better, each token costs a forward over all tokens before it, for each
  // sequence alone: LibTorch's bits depend on the size of a batch.
  virtual std::unique_ptr<Decoding> start_decoding();

  // All tensors that forward() depends on, sharing memory with the model.
  virtual const ParameterSet& parameters() const = 0;

  // Switches between training and evaluation mode, e.g. dropout.
  virtual void set_training(bool training) = 0;

  // Call it once before training. Runs forward over input_ids [B, T] in training mode, leaves the
  // model as it was but in that mode, and finds parameters().changing. Throws ModelError if the
  // logits depend on no trained parameter, and for state that no checkpoint can hold.
  virtual void prepare_training(const at::Tensor& input_ids) = 0;
  // Brings parameters().buffers up to date, when backward is done. Forward may keep what it changes
  // elsewhere.
  virtual void pull_buffers() {}
  // Makes forward use parameters().buffers, after they were written.
  virtual void push_buffers() {}

  // Writes the model with its current weights into `folder`, in the format that was loaded. Each
  // file is written completely or not at all. Throws StorageError.
  virtual void save(const std::filesystem::path& folder) = 0;
  // Writes the model with its current weights as `folder`, for other programs: a Hugging Face
  // folder if that was loaded, adapters merged; else what save() writes. Replaces a folder as a
  // whole. Throws StorageError.
  virtual void export_to(const std::filesystem::path& folder);
  // Returns the names of the files that save() writes or replaces.
  virtual std::vector<std::string> saved_files() const = 0;
};

// Calls tensor.backward(gradient) for a tensor computed by the model. Throws ModelError if that
// fails.
void backward_through(const LanguageModel& model, const at::Tensor& tensor,
                      const at::Tensor& gradient = {});

// Returns copies of parameters().changing, with which restore_changing_buffers() undoes what
// forward has changed since.
std::vector<at::Tensor> copy_changing_buffers(const LanguageModel& model);
void restore_changing_buffers(LanguageModel& model, const std::vector<at::Tensor>& copies);

}  // namespace pdl
