#include "pdl/ops/attention.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>
#include <optional>
#include <utility>

#include "attention_cpu.h"
#include "cpu_tensors.h"

namespace pdl {
namespace {

// What is added to scores [B or 1, 1, T, T]: 0 for a key that the query sees, else -infinity.
at::Tensor additive_mask(const SeenKeys& seen, at::ScalarType dtype) {
  const at::Tensor& first = seen.first;
  const at::Tensor keys = at::arange(first.size(1), first.options());
  const at::Tensor hidden = keys.gt(keys.unsqueeze(1)).logical_or(keys.lt(first.unsqueeze(-1)));
  return at::zeros(hidden.sizes(), first.options().dtype(dtype))
      .masked_fill_(hidden, -std::numeric_limits<float>::infinity())
      .unsqueeze_(1);
}

at::Tensor plain_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const at::Tensor& mask, const AttentionOptions& options) {
  at::Tensor scores = at::matmul(q, k.transpose(-2, -1)).mul(options.scale);
  if (options.softcap > 0) scores = scores.div(options.softcap).tanh().mul(options.softcap);
  at::Tensor probabilities = scores.add(mask).softmax(-1);
  if (options.dropout > 0) {
    probabilities = at::dropout(probabilities, options.dropout, /*train=*/true);
  }
  return at::matmul(probabilities, v);
}

at::ScalarType widened_dtype(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 ? at::kFloat : x.scalar_type();
}

at::Tensor widened(const at::Tensor& x) { return x.to(widened_dtype(x)); }

at::Tensor repeat_heads(const at::Tensor& x, int64_t times) {
  return times == 1 ? x : x.repeat_interleave(times, 1);
}

// That of LibTorch's fused attention; other products of attention are not rounded.
at::ScalarType fused_dtype(ProductPrecision precision, at::ScalarType exact) {
  if (precision == ProductPrecision::kBfloat16) return at::kBFloat16;
  return precision == ProductPrecision::kFloat16 ? at::kHalf : exact;
}

// All of shape [B, H, T, D].
at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                  const SeenKeys& seen, const AttentionOptions& options) {
  const int64_t group = q.size(1) / k.size(1);
  if (options.softcap > 0 || options.dropout > 0) {
    const at::Tensor wide_q = widened(q);
    return plain_attention(wide_q, repeat_heads(widened(k), group), repeat_heads(widened(v), group),
                           additive_mask(seen, wide_q.scalar_type()), options);
  }
  const at::ScalarType dtype = fused_dtype(options.precision, q.scalar_type());
  return at::scaled_dot_product_attention(
             q.to(dtype), k.to(dtype), v.to(dtype),
             seen.is_all ? std::nullopt : std::optional(additive_mask(seen, dtype)),
             /*dropout_p=*/0, /*is_causal=*/seen.is_all, options.scale, /*enable_gqa=*/group > 1)
      .to(widened_dtype(q));
}

}  // namespace

SeenKeys seen_keys(int64_t length, int64_t window, const at::Tensor& starts, at::Device device) {
  const bool has_window = window > 0 && window < length;
  at::Tensor first = at::zeros({1, length}, at::dtype(at::kInt).device(device));
  if (has_window) {
    first = at::arange(1 - window, length + 1 - window, first.options()).clamp_min_(0).unsqueeze(0);
  }
  if (starts.defined()) first = at::maximum(first, starts.to(at::kInt));
  return {first, !has_window && !starts.defined()};
}

bool attends_in_bfloat16(const at::Device& device, const AttentionOptions& options) {
  if (options.precision != ProductPrecision::kBfloat16) return false;
  if (device.is_cpu()) return has_bfloat16_attention();
  return options.softcap == 0 && options.dropout == 0;
}

at::Tensor Attention::forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              const SeenKeys& seen, const AttentionOptions& options) {
  const bool keeps = at::GradMode::is_enabled();
  const bool has_kernels = is_cpu_factor(q);
  const at::ScalarType kernel_dtype =
      attends_in_bfloat16(q.device(), options) ? at::kBFloat16 : at::kFloat;
  std::vector<at::Tensor> inputs;
  for (const at::Tensor* input : {&q, &k, &v}) {
    inputs.push_back(has_kernels ? input->detach().to(kernel_dtype)
                                 : input->detach().set_requires_grad(keeps));
  }
  CpuAttentionOutput output;
  if (has_kernels) {
    output = cpu_attention_forward(inputs, seen, options);
  } else {
    output.values = attend(inputs[0].transpose(1, 2), inputs[1].transpose(1, 2),
                           inputs[2].transpose(1, 2), seen, options)
                        .transpose(1, 2);
  }
  if (keeps) {
    inputs_ = std::move(inputs);
    output_ = output.values;
    log_sums_ = output.log_sums;
    kept_ = output.kept;
    seen_ = seen;
    options_ = options;
  }
  return output.values.detach();
}

void Attention::backward(const at::Tensor& gradient, const Gradients& to) {
  const std::vector<at::Tensor> inputs = std::exchange(inputs_, {});
  const CpuAttentionOutput output{std::exchange(output_, {}), std::exchange(log_sums_, {}),
                                  std::exchange(kept_, {})};
  std::vector<at::Tensor> gradients;
  if (!output.log_sums.defined()) {
    gradients =
        torch::autograd::grad({output.values}, inputs, {gradient.to(output.values.scalar_type())});
  } else {
    const at::ScalarType dtype = inputs[0].scalar_type();
    const at::Tensor same = gradient.to(dtype);
    if (to.q.scalar_type() == dtype)
      return cpu_attention_backward(inputs, output, same, seen_, options_, to);
    for (const at::Tensor& input : inputs) gradients.push_back(at::empty_like(input));
    cpu_attention_backward(inputs, output, same, seen_, options_,
                           {gradients[0], gradients[1], gradients[2]});
  }
  to.q.copy_(gradients[0]);
  to.k.copy_(gradients[1]);
  to.v.copy_(gradients[2]);
}

}  // namespace pdl
