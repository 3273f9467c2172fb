// Activations of feed-forward networks, forward and backward.
#pragma once

#include <ATen/core/Tensor.h>

#include "pdl/model/families/decoder_spec.h"

namespace pdl {

// Returns f(x) for x of any shape.
at::Tensor activation_forward(const at::Tensor& x, Activation activation);

// Returns the gradient of x for that of f(x).
at::Tensor activation_backward(const at::Tensor& y_gradient, const at::Tensor& x,
                               Activation activation);

}  // namespace pdl
