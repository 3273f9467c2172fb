#include "pdl/ops/norm.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/native_layer_norm_backward.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <tuple>

#include "cpu_tensors.h"
#include "pdl/kernels/cpu_kernels.h"
#include "pdl/ops/column_sums.h"
#include "pdl/ops/row_blocks.h"

namespace pdl {
namespace {

// The factor of the normalised row, or an undefined tensor for 1.
at::Tensor factor_of(const Norm& norm) {
  if (!norm.weight.defined()) return {};
  return norm.one_plus_weight ? norm.weight.add(1) : norm.weight;
}

// Rows of float32 on the CPU.
class Rows {
 public:
  explicit Rows(const at::Tensor& rows)
      : rows_(rows.stride(1) == 1 ? rows : rows.contiguous()),
        values_(static_cast<float*>(rows_.data_ptr())),
        stride_(rows_.stride(0)) {}
  float* operator[](int64_t row) const { return values_ + row * stride_; }

 private:
  at::Tensor rows_;
  float* values_;
  int64_t stride_;
};

at::Tensor cpu_factor_of(const Norm& norm, const at::Tensor& x) {
  const at::Tensor factor = factor_of(norm);
  return factor.defined() ? factor.contiguous() : at::ones({x.size(1)}, x.options());
}

at::Tensor cpu_rms_forward(const at::Tensor& x, const Norm& norm, NormStatistics& statistics) {
  const at::Tensor factor = cpu_factor_of(norm, x);
  const at::Tensor y = at::empty(x.sizes(), x.options());
  statistics.rstd = at::empty({x.size(0), 1}, x.options());
  const Rows from(x);
  const Rows to(y);
  auto* rstd = statistics.rstd.mutable_data_ptr<float>();
  const auto forward = cpu_kernels().rms_norm.forward;
  for_each_row_block(x, [&](int64_t begin, int64_t count) {
    for (int64_t row = begin; row < begin + count; ++row)
      rstd[row] = forward(from[row], factor.const_data_ptr<float>(), x.size(1), norm.eps, to[row]);
  });
  return y;
}

// Each block of rows has a sum of its own for the weight.
at::Tensor cpu_rms_backward(const at::Tensor& y_gradient, const at::Tensor& x, const Norm& norm,
                            const NormStatistics& statistics, const at::Tensor& weight_gradient) {
  const at::Tensor factor = cpu_factor_of(norm, x);
  const at::Tensor x_gradient = at::empty(x.sizes(), x.options());
  const Rows from(x);
  const Rows gradients(y_gradient);
  const Rows to(x_gradient);
  const auto* rstd = statistics.rstd.const_data_ptr<float>();
  const auto backward = cpu_kernels().rms_norm.backward;
  at::Tensor sums;
  if (weight_gradient.defined()) sums = at::zeros({num_row_blocks(x), x.size(1)}, x.options());
  for_each_row_block(x, [&](int64_t begin, int64_t count) {
    float* sum = nullptr;
    if (sums.defined())
      sum = sums.mutable_data_ptr<float>() + begin / rows_per_block(x) * x.size(1);
    for (int64_t row = begin; row < begin + count; ++row) {
      backward(gradients[row], from[row], factor.const_data_ptr<float>(), x.size(1), rstd[row],
               to[row], sum);
    }
  });
  if (sums.defined()) add_column_sums(sums, weight_gradient);
  return x_gradient;
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
  if (norm.kind == NormKind::kLayer) return layer_forward(x, norm, statistics);
  return is_cpu_float(x) ? cpu_rms_forward(x, norm, statistics) : rms_forward(x, norm, statistics);
}

at::Tensor norm_backward(const at::Tensor& y_gradient, const at::Tensor& x, const Norm& norm,
                         const NormStatistics& statistics, const at::Tensor& weight_gradient,
                         const at::Tensor& bias_gradient) {
  const bool is_rms = norm.kind == NormKind::kRms;
  if (is_rms && is_cpu_float(x))
    return cpu_rms_backward(y_gradient, x, norm, statistics, weight_gradient);
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
