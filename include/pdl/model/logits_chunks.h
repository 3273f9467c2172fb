// Computes the logits of a batch in chunks of positions, so that those of the whole batch need not
// exist at once.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "pdl/model/language_model.h"

namespace pdl {

// The arguments of head_gradient() beside positions.
struct LossTargets {
  at::Tensor targets;  // [1, N]
  at::Tensor weights;
  at::Tensor weight_sum;
};

// Receives the logits [1, n, V] of the positions [begin, begin + n).
using LogitsVisitor = std::function<void(at::Tensor logits, int64_t begin)>;

// Calls visit() for the logits of hidden [1, N, D], at most `chunk_positions` at a time, in order;
// no gradient flows to `hidden`. Only for a model that splits its head.
void for_each_logits_chunk(LanguageModel& model, const at::Tensor& hidden, int64_t chunk_positions,
                           const LogitsVisitor& visit);

// Does the same in training: calls model.head_gradient() chunk by chunk and writes the gradient of
// hidden [1, N, D] to `hidden_gradient`, of the same shape. `targets` is [1, N]; 0 chunk_positions
// are all. Returns the sums over all chunks. Gradients of the head's parameters are added up in
// float32.
CrossEntropySums head_gradient_in_chunks(LanguageModel& model, const at::Tensor& hidden,
                                         int64_t chunk_positions, const LossTargets& targets,
                                         const at::Tensor& hidden_gradient);

// Resolves logits_chunk_rows 0: returns the most positions of a chunk for batches of
// `batch_positions` = B·T positions. Returns 0, for no chunks, if the model does not split its head
// or little memory would be saved. `trains`: the chunks are of head_gradient_in_chunks().
int64_t automatic_chunk_positions(const ModelInfo& model, int64_t batch_positions, bool trains);

}  // namespace pdl
