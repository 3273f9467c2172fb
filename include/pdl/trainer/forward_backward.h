// Forward, loss and backward of one micro-batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "pdl/batches/batch.h"
#include "pdl/metrics/profiler.h"
#include "pdl/model/language_model.h"

namespace pdl {

// Sums over a micro-batch, or over those of a step, [] float64 on the model's device.
struct LossSums {
  at::Tensor weighted_sum;  // Σ w·ce
  at::Tensor ce_sum;        // Σ ce
};

// How a forward and backward pass is computed.
struct ForwardBackwardOptions {
  // Positions whose logits exist at once, for models that split their head; 0: all.
  int64_t chunk_positions = 0;
  Profiler* profiler = nullptr;
};

// Adds the gradient of Σ w·ce / weight_sum to those of the parameters. `weights` [V] float32 and
// `weight_sum` [] float64 are those of weighted_cross_entropy().
//
// Where the model's halves are called, head and loss run for the positions with a target alone,
// forward and backward chunk by chunk, and then the rest of the model backward. Sums and gradients
// are those of the whole batch up to rounding; gradients of the head are added up in float32.
LossSums forward_backward(LanguageModel& model, const Batch& batch, const at::Tensor& weights,
                          const at::Tensor& weight_sum, const ForwardBackwardOptions& options);

}  // namespace pdl
