// The state of LibTorch's random generators (dropout), as tensors that a checkpoint holds.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "pdl/tensors/named_tensor.h"

namespace pdl {

// Copies of the states of the CPU's generator and, if it is another device, of that of `device`.
std::vector<NamedTensor> generator_states(at::Device device);

// Puts such copies back.
void restore_generator_states(at::Device device, const std::vector<NamedTensor>& states);

}  // namespace pdl
