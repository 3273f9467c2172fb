// Attention by the kernels of the CPU.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "pdl/ops/attention.h"

namespace pdl {

// What the kernels compute, and what backward needs of it.
struct CpuAttentionOutput {
  at::Tensor values;    // [B, T, H, D] float32
  at::Tensor log_sums;  // log Σ exp(score) [B, H, T]
  at::Tensor kept;      // of dropout [B, H, T, T]: what probabilities were multiplied by
};

// Whether there are kernels for bfloat16.
bool has_bfloat16_attention();

// The arguments are those of Attention, `inputs` q, k and v of one dtype, float32 or bfloat16,
// which is that of all gradients.
CpuAttentionOutput cpu_attention_forward(const std::vector<at::Tensor>& inputs,
                                         const SeenKeys& seen, const AttentionOptions& options);
void cpu_attention_backward(const std::vector<at::Tensor>& inputs, const CpuAttentionOutput& output,
                            const at::Tensor& gradient, const SeenKeys& seen,
                            const AttentionOptions& options, const Attention::Gradients& to);

}  // namespace pdl
