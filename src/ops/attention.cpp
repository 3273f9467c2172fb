#include "pdl/ops/attention.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>
#include <optional>
#include <utility>

namespace pdl {
namespace {

// Scores of a row of T queries and T keys exist at once.
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

at::Tensor repeat_heads(const at::Tensor& x, int64_t times) {
  return times == 1 ? x : x.repeat_interleave(times, 1);
}

// All of shape [B, H, T, D].
at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                  const at::Tensor& mask, const AttentionOptions& options) {
  const int64_t group = q.size(1) / k.size(1);
  if (options.softcap > 0 || options.dropout > 0) {
    const at::Tensor seen =
        mask.defined()
            ? mask
            : attention_mask(q.size(2), 0, at::zeros({1, q.size(2)}, at::kLong), q.device());
    return plain_attention(q, repeat_heads(k, group), repeat_heads(v, group), seen, options);
  }
  return at::scaled_dot_product_attention(
      q, k, v, mask.defined() ? std::optional(mask) : std::nullopt, /*dropout_p=*/0,
      /*is_causal=*/!mask.defined(), options.scale, /*enable_gqa=*/group > 1);
}

}  // namespace

at::Tensor attention_mask(int64_t length, int64_t window, const at::Tensor& starts,
                          at::Device device) {
  const bool has_window = window > 0 && window < length;
  if (!has_window && !starts.defined()) return {};
  const at::Tensor positions = at::arange(length, at::dtype(at::kLong).device(device));
  const at::Tensor query = positions.unsqueeze(1);
  at::Tensor hidden = positions.gt(query).unsqueeze(0);  // [1, query, key]
  if (has_window) hidden = hidden.logical_or(positions.le(query.sub(window)));
  if (starts.defined()) hidden = hidden.logical_or(positions.lt(starts.unsqueeze(-1)));
  return at::zeros(hidden.sizes(), at::dtype(at::kFloat).device(device))
      .masked_fill_(hidden, -std::numeric_limits<float>::infinity())
      .unsqueeze_(1);
}

at::Tensor Attention::forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              const at::Tensor& mask, const AttentionOptions& options) {
  const bool keeps = at::GradMode::is_enabled();
  std::vector<at::Tensor> inputs;
  for (const at::Tensor* input : {&q, &k, &v}) {
    inputs.push_back(input->detach().set_requires_grad(keeps));
  }
  const at::Tensor output = attend(inputs[0].transpose(1, 2), inputs[1].transpose(1, 2),
                                   inputs[2].transpose(1, 2), mask, options)
                                .transpose(1, 2);
  if (keeps) {
    inputs_ = std::move(inputs);
    output_ = output;
  }
  return output.detach();
}

Attention::Gradients Attention::backward(const at::Tensor& gradient) {
  const torch::autograd::variable_list gradients =
      torch::autograd::grad({output_}, inputs_, {gradient});
  inputs_.clear();
  output_.reset();
  return {gradients[0], gradients[1], gradients[2]};
}

}  // namespace pdl
