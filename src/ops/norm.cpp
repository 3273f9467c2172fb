#include "pdl/ops/norm.h"

#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/native_layer_norm_backward.h>

#include <tuple>

#include "pdl/ops/column_sums.h"

namespace pdl {
namespace {

// The factor of the normalised row, or an undefined tensor for 1.
at::Tensor factor_of(const Norm& norm) {
  if (!norm.weight.defined()) return {};
  return norm.one_plus_weight ? norm.weight.add(1) : norm.weight;
}

at::Tensor rms_forward(const at::Tensor& x, const Norm& norm, NormStatistics& statistics) {
  const at::Tensor factor = factor_of(norm);
  const at::Tensor length = at::linalg_vector_norm(x, 2, at::IntArrayRef{-1}, /*keepdim=*/true);
  statistics.rstd = length.square_().div_(static_cast<double>(x.size(-1))).add_(norm.eps).rsqrt_();
  at::Tensor y = x.mul(statistics.rstd);
  return factor.defined() ? y.mul_(factor) : y;
}

at::Tensor layer_forward(const at::Tensor& x, const Norm& norm, NormStatistics& statistics) {
  at::Tensor y;
  std::tie(y, statistics.mean, statistics.rstd) =
      at::native_layer_norm(x, {x.size(-1)}, norm.weight, norm.bias, norm.eps);
  return y;
}

at::Tensor normalised(const at::Tensor& x, const NormStatistics& statistics) {
  if (!statistics.mean.defined()) return x.mul(statistics.rstd);
  return x.sub(statistics.mean).mul_(statistics.rstd);
}

// With g the gradient of the normalised row n: rstd · (g - n · mean(g·n)).
at::Tensor rms_backward(const at::Tensor& y_gradient, const at::Tensor& row,
                        const at::Tensor& factor, const NormStatistics& statistics) {
  const at::Tensor gradient = factor.defined() ? y_gradient.mul(factor) : y_gradient;
  const at::Tensor mean = gradient.mul(row).mean(-1, /*keepdim=*/true);
  return gradient.addcmul(row, mean, -1).mul_(statistics.rstd);
}

}  // namespace

at::Tensor norm_forward(const at::Tensor& x, const Norm& norm, NormStatistics& statistics) {
  return norm.kind == NormKind::kRms ? rms_forward(x, norm, statistics)
                                     : layer_forward(x, norm, statistics);
}

at::Tensor norm_backward(const at::Tensor& y_gradient, const at::Tensor& x, const Norm& norm,
                         const NormStatistics& statistics, const at::Tensor& weight_gradient,
                         const at::Tensor& bias_gradient) {
  const bool is_rms = norm.kind == NormKind::kRms;
  at::Tensor row;
  if (is_rms || weight_gradient.defined()) row = normalised(x, statistics);
  if (weight_gradient.defined()) add_column_sums(y_gradient.mul(row), weight_gradient);
  if (bias_gradient.defined()) add_column_sums(y_gradient, bias_gradient);
  if (is_rms) return rms_backward(y_gradient, row, factor_of(norm), statistics);
  return std::get<0>(at::native_layer_norm_backward(y_gradient, x, {x.size(-1)}, statistics.mean,
                                                    statistics.rstd, norm.weight, norm.bias,
                                                    {true, false, false}));
}

}  // namespace pdl
