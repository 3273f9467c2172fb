// Dynamic loss scaling for float16 (Micikevicius et al., 2018): gradients are computed times a
// scale that keeps small ones from vanishing; it halves when a gradient overflows, and doubles
// after 2,000 updates without one. The defaults are those of torch.amp.GradScaler.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "pdl/tensors/named_tensor.h"

namespace pdl {

class LossScaler {
 public:
  explicit LossScaler(at::Device device);

  // [] float32, by which gradients are too large; a copy, which update() does not change.
  at::Tensor scale() const { return scale_.clone(); }

  // After a step. `overflow` is a [] float32: 1 where a gradient was not finite, else 0.
  void update(const at::Tensor& overflow);

  // "loss_scaler.scale" and "loss_scaler.growth_tracker", sharing memory with this.
  std::vector<NamedTensor> state() const;

 private:
  at::Tensor scale_;           // [] float32
  at::Tensor growth_tracker_;  // [] int32, updates since the scale changed
};

}  // namespace pdl
