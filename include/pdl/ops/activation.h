// Activations of feed-forward networks, forward and backward. Their bits do not depend on the
// number of threads.
#pragma once

#include <ATen/core/Tensor.h>

#include "pdl/model/families/decoder_spec.h"

namespace pdl {

// Returns f(x) for x [N, D], whose rows may have a stride.
at::Tensor activation_forward(const at::Tensor& x, Activation activation);

// Writes the gradient of x for that of f(x) to `x_gradient`, all [N, D].
void activation_backward(const at::Tensor& x_gradient, const at::Tensor& y_gradient,
                         const at::Tensor& x, Activation activation);

// Replaces x [N, D] by tanh(x).
void replace_by_tanh(const at::Tensor& x);

}  // namespace pdl
