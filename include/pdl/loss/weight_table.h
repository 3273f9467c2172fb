// The weight tensor used in training: the weights of a frequency table by the formula, on the
// training device.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/frequency/token_counts.h"

namespace pdl {

// Computes in float64, stores float32. Keeps one tensor: that of the last alpha.
class WeightTable {
 public:
  // `counts` has the width V of the logits; `special_ids` are the tokenizer's.
  WeightTable(std::vector<int64_t> counts, const WeightOptions& options,
              std::vector<int32_t> special_ids, at::Device device);

  // [V] float32 on the device, finite and > 0. Throws DataError as power_law_weights() does.
  const at::Tensor& at_alpha(double alpha);
  // Returns the weights at full alpha, [V] float64.
  std::vector<double> full_weights() const;

  // [V], from which the weights were made, and how.
  const std::vector<int64_t>& counts() const { return counts_; }
  const WeightOptions& options() const { return options_; }

 private:
  std::vector<int64_t> counts_;
  WeightOptions options_;
  std::vector<int32_t> special_ids_;
  at::Device device_;
  std::optional<double> tensor_alpha_;
  at::Tensor tensor_;
};

}  // namespace pdl
