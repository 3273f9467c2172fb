// Causal attention of grouped heads, forward and backward.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "pdl/ops/product.h"

namespace pdl {

// softmax(mask(cap(scale · q·kᵀ))) · v, where cap(s) = c·tanh(s / c) with c = `softcap`.
struct AttentionOptions {
  double scale = 1;
  double softcap = 0;  // 0: none
  double dropout = 0;  // probability with which a probability is dropped, others scaled up
  // Of the products. On the CPU kBfloat16x3 is as kFloat32, and so is kBfloat16 where there are no
  // kernels for it; ATen's operators round nothing where there is a cap or dropout.
  ProductPrecision precision = ProductPrecision::kFloat32;
};

// The keys that each query sees: from its first one to its own.
struct SeenKeys {
  at::Tensor first;    // [B or 1, T] int32, never decreasing along T, on the model's device
  bool is_all = true;  // every first key is 0
};

// A query sees itself and the keys before it, of these the last `window` - 1 (0: all) and none
// before `starts` [B, T] int64, the position of the first token of its document (undefined: 0).
SeenKeys seen_keys(int64_t length, int64_t window, const at::Tensor& starts, at::Device device);

// Whether attention on a device with these options multiplies factors of bfloat16 as such.
bool attends_in_bfloat16(const at::Device& device, const AttentionOptions& options);

// One call of attention, which keeps what backward needs.
//
//   q     [B, T, H, D] float32, or bfloat16 if the precision is kBfloat16; the last dimension must
//         be contiguous
//   k, v  [B, T, KV, D]; each head of k serves H / KV heads of q, neighbours
//
// On the CPU it runs the kernels of kernels/cpu_kernels.h: a head has one thread, so that the bits
// do not depend on their number. Elsewhere it runs ATen's operators.
class Attention {
 public:
  // Returns [B, T, H, D] float32. Keeps nothing if gradients are off (at::NoGradGuard).
  at::Tensor forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const SeenKeys& seen, const AttentionOptions& options);

  // Writes the gradients of q, k and v, for that of what forward() has returned, which may be
  // rounded to bfloat16, to tensors of their shapes and dtype whose last dimension is contiguous.
  // Releases what was kept.
  struct Gradients {
    at::Tensor q, k, v;
  };
  void backward(const at::Tensor& gradient, const Gradients& to);

 private:
  std::vector<at::Tensor> inputs_;  // q, k and v; of ATen's operators leaves of their graph
  at::Tensor output_;
  at::Tensor log_sums_;  // [B, H, T] float32 of the kernels; undefined: ATen's operators ran
  at::Tensor kept_;      // [B, H, T, T] float32 of the kernels with dropout
  SeenKeys seen_;
  AttentionOptions options_;
};

}  // namespace pdl
