#include "pdl/loss/weight_table.h"

#include <ATen/ops/tensor.h>

#include <utility>

#include "pdl/weights/weight_formula.h"

namespace pdl {

WeightTable::WeightTable(std::vector<int64_t> counts, const WeightOptions& options,
                         std::vector<int32_t> special_ids, at::Device device)
    : counts_(std::move(counts)),
      options_(options),
      special_ids_(std::move(special_ids)),
      device_(device) {}

const at::Tensor& WeightTable::at_alpha(double alpha) {
  if (tensor_alpha_ != alpha) {
    const std::vector<double> weights = power_law_weights(counts_, options_, special_ids_, alpha);
    const at::Tensor host = at::tensor(weights, at::kDouble).to(at::kFloat);
    // Copies from pinned memory, so that a warm-up of alpha does not make the host wait in every
    // step.
    tensor_ =
        device_.is_cuda() ? host.pin_memory().to(device_, /*non_blocking=*/true) : host.to(device_);
    tensor_alpha_ = alpha;
  }
  return tensor_;
}

std::vector<double> WeightTable::full_weights() const {
  return power_law_weights(counts_, options_, special_ids_, options_.pdl_alpha);
}

}  // namespace pdl
