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
  at::Tensor input_ids;    // [B, T] int64; padding holds the pad id
  at::Tensor targets;      // [B, T] int64: what each position predicts, or kIgnoreTarget
  int64_t num_tokens = 0;  // targets that are not ignored
};

// Returns the sequences with the indices `rows_of_batch`, on `device`.
Batch make_batch(const Sequences& rows, const std::vector<int64_t>& rows_of_batch, int32_t pad_id,
                 at::Device device);

}  // namespace pdl
