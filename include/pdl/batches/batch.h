// Batches: sequences as tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "pdl/ops/ignore_target.h"
#include "pdl/tokens/sequences.h"

namespace pdl {

// B sequences, padded to the length T of the longest.
struct Batch {
  at::Tensor input_ids;  // [B, T] int64; padding holds the pad id
  at::Tensor targets;    // [B, T] int64: what each position predicts, or kIgnoreTarget
  // [B, T] int64, see ModelInput; undefined if each sequence is of one document, or if documents
  // are not kept apart.
  at::Tensor document_starts;
  at::Tensor target_positions;  // [N] int64: where in [B·T] a target is not ignored, ascending
  int64_t num_tokens = 0;       // N
};

// Returns Batch::target_positions for contiguous targets on the CPU.
at::Tensor target_positions(const at::Tensor& targets);

// Returns the values [B, T, …] of the positions with a target, as [1, N, …].
at::Tensor at_target_positions(const Batch& batch, const at::Tensor& values);

// How batches are made.
struct BatchOptions {
  int32_t pad_id = 0;
  at::Device device = at::kCPU;
  bool isolate_documents = false;  // sets Batch::document_starts
};

// Returns the sequences with the indices `rows_of_batch`.
Batch make_batch(const Sequences& rows, const std::vector<int64_t>& rows_of_batch,
                 const BatchOptions& options);

}  // namespace pdl
