#include "pdl/optim/loss_scaler.h"

#include <ATen/ops/_amp_update_scale.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

namespace pdl {

LossScaler::LossScaler(at::Device device)
    : scale_(at::full({}, 65536, at::dtype(at::kFloat).device(device))),
      growth_tracker_(at::zeros({}, at::dtype(at::kInt).device(device))) {}

void LossScaler::update(const at::Tensor& overflow) {
  at::_amp_update_scale_(scale_, growth_tracker_, overflow, /*scale_growth_factor=*/2,
                         /*scale_backoff_factor=*/0.5, /*growth_interval=*/2000);
}

std::vector<NamedTensor> LossScaler::state() const {
  return {{"loss_scaler.scale", scale_, {}}, {"loss_scaler.growth_tracker", growth_tracker_, {}}};
}

}  // namespace pdl
