// Computes the logits of a batch in chunks of positions, so that those of the whole batch need not
// exist at once.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "pdl/model/language_model.h"

namespace pdl {

// The arguments of head_gradient() beside positions.
struct LossTargets {
  at::Tensor targets;  // [1, N]
  at::Tensor weights;
  at::Tensor weight_sum;
};

// Returns evaluate_positions() of the logits of hidden [1, N, D], at most `chunk_positions` at a
// time, 0: all, for targets [1, N]. Only for a model that splits its head.
PositionEvaluations evaluate_in_chunks(LanguageModel& model, const at::Tensor& hidden,
                                       int64_t chunk_positions, const at::Tensor& targets,
                                       const CountedVocabulary& vocabulary);

// Does the same in training: calls model.head_gradient() chunk by chunk and writes the gradient of
// hidden [1, N, D] to `hidden_gradient`, of the same shape, which may be `hidden` itself. Returns
// the sums over all chunks. Gradients of the head's parameters are added up in float32.
CrossEntropySums head_gradient_in_chunks(LanguageModel& model, const at::Tensor& hidden,
                                         int64_t chunk_positions, const LossTargets& targets,
                                         const at::Tensor& hidden_gradient);

// Resolves logits_chunk_rows 0: returns the most positions of a chunk for batches of
// `batch_positions` = B·T positions. Returns 0, for no chunks, if the model does not split its head
// or little memory would be saved.
int64_t automatic_chunk_positions(const ModelInfo& model, int64_t batch_positions);

}  // namespace pdl
