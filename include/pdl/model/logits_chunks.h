// Logits of a batch in chunks of positions, so that those of the whole batch need not exist at
// once: the one loop for training and evaluation.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "pdl/model/language_model.h"

namespace pdl {

// Receives the logits [1, n, V] of the positions [begin, begin + n).
using LogitsVisitor = std::function<void(at::Tensor logits, int64_t begin)>;

// Calls visit() for the logits of hidden [1, N, D], `chunk_positions` at a time, in order; no
// gradient flows to `hidden`. Only for a model that splits its head.
void for_each_logits_chunk(LanguageModel& model, const at::Tensor& hidden, int64_t chunk_positions,
                           const LogitsVisitor& visit);

// The same in training: visit() calls backward() on what it makes of the logits. The gradient of
// `hidden` goes into `hidden_gradient`, of the same shape; those of the head's parameters add up in
// float32.
void for_each_trained_logits_chunk(LanguageModel& model, const at::Tensor& hidden,
                                   int64_t chunk_positions, const at::Tensor& hidden_gradient,
                                   const LogitsVisitor& visit);

// What logits_chunk_rows 0 stands for: the positions of a chunk for batches of `batch_positions` =
// B·T positions, or 0, not to cut, where the model has no head of its own or little would be saved.
int64_t automatic_chunk_positions(const ModelInfo& model, int64_t batch_positions);

}  // namespace pdl
