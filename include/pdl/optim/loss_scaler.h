// Dynamic loss scaling for float16 (Micikevicius et al., 2018): the loss is multiplied by a scale,
// so that small gradients do not underflow. The scale halves when a gradient overflows, and doubles
// after 2,000 updates without an overflow. The defaults are those of torch.amp.GradScaler.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "pdl/tensors/named_tensor.h"

namespace pdl {

// The scale of a float16 loss, and its adaptation.
class LossScaler {
 public:
  explicit LossScaler(at::Device device);

  // The factor by which gradients are too large, [] float32: a copy, which update() does not
  // change.
  at::Tensor scale() const { return scale_.clone(); }

  // To be called after a step. `overflow` is [] float32: 1 if a gradient was not finite, else 0.
  void update(const at::Tensor& overflow);

  // The tensors "loss_scaler.scale" and "loss_scaler.growth_tracker", sharing memory with this.
  std::vector<NamedTensor> state() const;

 private:
  at::Tensor scale_;           // [] float32
  at::Tensor growth_tracker_;  // [] int32, updates since the scale changed
};

}  // namespace pdl
