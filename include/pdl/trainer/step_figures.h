// The metrics of one optimiser step, computed on the device and read when they are needed, so that
// the host waits for a GPU no more often than that.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace pdl {

// Sums over all micro-batches and ranks of one step.
struct StepFigures {
  double weighted_sum = 0;  // Σ w·ce
  double ce_sum = 0;        // Σ ce
  double weight_sum = 0;    // Σ w
  double square_sum = 0;    // Σ w²
  int64_t num_tokens = 0;
  double grad_norm = 0;   // before clipping, without the loss scale
  double loss_scale = 1;  // 1 without a loss scaler
};

// The same metrics on the device: scalars of any dtype.
struct DeviceFigures {
  at::Tensor weighted_sum;
  at::Tensor ce_sum;
  at::Tensor weight_sum;
  at::Tensor square_sum;
  at::Tensor num_tokens;
  at::Tensor grad_norm;
  at::Tensor loss_scale;
};

// Pending metrics: those of a step that may still be on the device.
struct PendingFigures {
  int64_t step = 0;                // from 1
  std::vector<int64_t> sequences;  // indices of its sequences, all micro-batches and ranks
  double learning_rate = 0;
  double z_score = 0;  // of the step's ce, see spike_detector.h; 0 if spikes are not watched
  at::Tensor values;   // made by pack_figures()
};

// Packs the metrics into one tensor, so that reading them is one transfer.
at::Tensor pack_figures(const DeviceFigures& figures);

// Reads the metrics of all `pending` steps in one transfer.
std::vector<StepFigures> read_figures(std::span<const PendingFigures> pending);

}  // namespace pdl
