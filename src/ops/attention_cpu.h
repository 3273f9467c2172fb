// Attention by the kernels of the CPU.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "pdl/ops/attention.h"

namespace pdl {

// What the kernels compute: [B, T, H, D], and log Σ exp(score) [B, H, T].
struct CpuAttentionOutput {
  at::Tensor values;
  at::Tensor log_sums;
};

// Whether the kernels take a tensor of this dtype and device.
bool has_cpu_attention(const at::Tensor& q);

// The arguments are those of Attention, `inputs` q, k and v.
CpuAttentionOutput cpu_attention_forward(const std::vector<at::Tensor>& inputs,
                                         const SeenKeys& seen, const AttentionOptions& options);
Attention::Gradients cpu_attention_backward(const std::vector<at::Tensor>& inputs,
                                            const CpuAttentionOutput& output,
                                            const at::Tensor& gradient, const SeenKeys& seen,
                                            const AttentionOptions& options);

}  // namespace pdl
