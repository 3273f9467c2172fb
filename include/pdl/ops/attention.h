// Causal attention of grouped heads, forward and backward.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace pdl {

// softmax(mask(cap(scale · q·kᵀ))) · v, where cap(s) = c·tanh(s / c) with c = `softcap`.
struct AttentionOptions {
  double scale = 1;
  double softcap = 0;  // 0: none
  double dropout = 0;  // probability with which a probability is dropped, others scaled up
};

// Returns what is added to scores [B or 1, 1, T, T] float32: 0 for a key that the query sees, else
// -infinity. A query sees itself and the keys before it, of these the last `window` (0: all) and
// none before `starts` [B, T] int64, the position of the first token of its document (undefined:
// 0). Returns an undefined tensor if all keys up to the query's are seen.
at::Tensor attention_mask(int64_t length, int64_t window, const at::Tensor& starts,
                          at::Device device);

// One call of attention, which keeps what backward needs.
//
//   q     [B, T, H, D] float32; the last dimension must be contiguous
//   k, v  [B, T, KV, D]; each head of k serves H / KV heads of q, neighbours
//   mask  of attention_mask()
class Attention {
 public:
  // Returns [B, T, H, D]. Keeps nothing if gradients are off (at::NoGradGuard).
  at::Tensor forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const at::Tensor& mask, const AttentionOptions& options);

  // The gradients of q, k and v, for that of what forward() has returned. Releases what was kept.
  struct Gradients {
    at::Tensor q, k, v;
  };
  Gradients backward(const at::Tensor& gradient);

 private:
  std::vector<at::Tensor> inputs_;  // leaves of a graph of their own
  at::Tensor output_;
};

}  // namespace pdl
