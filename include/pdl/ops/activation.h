// Activations of feed-forward networks, forward and backward, with or without a gate. Their bits do
// not depend on the number of threads.
#pragma once

#include <ATen/core/Tensor.h>

#include "pdl/model/families/decoder_spec.h"

namespace pdl {

// Returns f(x) for x [N, D] float32 or bfloat16 with contiguous rows, on the CPU computed in
// float32; if `gated`, f(gate)·up [N, D / 2] for the halves gate and up of each row.
at::Tensor activation_forward(const at::Tensor& x, Activation activation, bool gated);

// Backward, in the memory that is there: replaces y [N, D or D / 2], the gradient of
// activation_forward(), by its result, and x by the gradient of x. The rows of both are contiguous,
// and their dtype is one.
void activation_backward(const at::Tensor& x, const at::Tensor& y, Activation activation,
                         bool gated);

// Replaces x [N, D] by tanh(x).
void replace_by_tanh(const at::Tensor& x);

}  // namespace pdl
