#include "pdl/ops/norm.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/native_layer_norm_backward.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <string>
#include <tuple>
#include <type_traits>

#include "cpu_tensors.h"
#include "pdl/base/error.h"
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

void require_fits(bool fits, const char* what) {
  if (!fits) throw Error(ExitCode::kInternal, std::string(what) + " has another dtype or device");
}

// Rows on the CPU.
template <class Value>
class NormRows {
 public:
  explicit NormRows(const at::Tensor& rows)
      : rows_(rows.stride(1) == 1 ? rows : rows.contiguous()),
        values_(static_cast<Value*>(rows_.data_ptr())),
        stride_(rows_.stride(0)) {}
  Value* operator[](int64_t row) const { return values_ + row * stride_; }

 private:
  at::Tensor rows_;
  Value* values_;
  int64_t stride_;
};

template <class Value>
const NormKernels<Value>& kernels_of() {
  if constexpr (std::is_same_v<Value, float>) {
    return cpu_kernels().float_norms;
  } else {
    return cpu_kernels().bfloat16_norms;
  }
}

at::Tensor cpu_factor_of(const Norm& norm, const at::Tensor& x) {
  const at::Tensor factor = factor_of(norm);
  return factor.defined() ? factor.contiguous() : at::ones({x.size(1)}, x.options());
}

at::Tensor cpu_bias_of(const Norm& norm, const at::Tensor& x) {
  return norm.bias.defined() ? norm.bias.contiguous() : at::zeros({x.size(1)}, x.options());
}

template <class Value>
void cpu_forward(const at::Tensor& x, const Norm& norm, const NormStatistics& statistics,
                 const at::Tensor& y) {
  const bool is_layer = norm.kind == NormKind::kLayer;
  const at::Tensor factors = cpu_factor_of(norm, x);
  const at::Tensor biases = is_layer ? cpu_bias_of(norm, x) : at::Tensor();
  const int64_t width = x.size(1);
  const NormRows<float> from(x);
  const NormRows<Value> to(y);
  const auto* factor = factors.const_data_ptr<float>();
  auto* rstd = statistics.rstd.mutable_data_ptr<float>();
  const NormKernels<Value>& kernels = kernels_of<Value>();
  for_each_row_block(x, [&](int64_t begin, int64_t count) {
    for (int64_t row = begin; row < begin + count; ++row) {
      if (!is_layer) {
        rstd[row] = kernels.rms.forward(from[row], factor, width, norm.eps, to[row]);
        continue;
      }
      const LayerStatistics layer = kernels.layer.forward(
          from[row], factor, biases.const_data_ptr<float>(), width, norm.eps, to[row]);
      rstd[row] = layer.rstd;
      statistics.mean.mutable_data_ptr<float>()[row] = layer.mean;
    }
  });
}

at::Tensor cpu_forward(const at::Tensor& x, const Norm& norm, NormStatistics& statistics,
                       bool rounds) {
  statistics.rstd = at::empty({x.size(0), 1}, x.options());
  if (norm.kind == NormKind::kLayer) statistics.mean = at::empty({x.size(0), 1}, x.options());
  at::Tensor y = at::empty(x.sizes(), x.options().dtype(rounds ? at::kBFloat16 : at::kFloat));
  const auto forward = rounds ? cpu_forward<Bfloat16> : cpu_forward<float>;
  forward(x, norm, statistics, y);
  return y;
}

// A gradient of D values that blocks of rows add to: each block has a sum of its own.
class BlockSums {
 public:
  BlockSums(const at::Tensor& x, const at::Tensor& gradient)
      : block_rows_(rows_per_block(x)), gradient_(gradient) {
    if (gradient.defined()) sums_ = at::zeros({num_row_blocks(x), x.size(1)}, x.options());
  }
  // The sum of the block that begins with `row`; null if no gradient is wanted.
  float* of(int64_t row) const {
    if (!sums_.defined()) return nullptr;
    return static_cast<float*>(sums_.data_ptr()) + row / block_rows_ * sums_.size(1);
  }
  void add() const {
    if (sums_.defined()) add_column_sums(sums_, gradient_);
  }

 private:
  int64_t block_rows_;
  at::Tensor gradient_;
  at::Tensor sums_;
};

template <class Value>
at::Tensor cpu_backward(const at::Tensor& y_gradient, const at::Tensor& x, const Norm& norm,
                        const NormStatistics& statistics, const at::Tensor& weight_gradient,
                        const at::Tensor& bias_gradient, const at::Tensor& added) {
  const bool is_layer = norm.kind == NormKind::kLayer;
  const at::Tensor factors = cpu_factor_of(norm, x);
  at::Tensor x_gradient = at::empty(x.sizes(), x.options());
  const int64_t width = x.size(1);
  const NormRows<float> from(x);
  const NormRows<Value> gradients(y_gradient);
  const NormRows<float> to(x_gradient);
  const NormRows<float> others(added.defined() ? added : x_gradient);
  const auto* factor = factors.const_data_ptr<float>();
  const auto* rstd = statistics.rstd.const_data_ptr<float>();
  const BlockSums weights(x, weight_gradient);
  const BlockSums biases(x, bias_gradient);
  const NormKernels<Value>& kernels = kernels_of<Value>();
  for_each_row_block(x, [&](int64_t begin, int64_t count) {
    for (int64_t row = begin; row < begin + count; ++row) {
      const float* other = added.defined() ? others[row] : nullptr;
      if (!is_layer) {
        kernels.rms.backward(gradients[row], from[row], factor, width, rstd[row], other, to[row],
                             weights.of(begin));
        continue;
      }
      kernels.layer.backward(gradients[row], from[row], factor, width,
                             {statistics.mean.const_data_ptr<float>()[row], rstd[row]}, other,
                             to[row], weights.of(begin), biases.of(begin));
    }
  });
  weights.add();
  biases.add();
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

at::Tensor backward_by_aten(const at::Tensor& y_gradient, const at::Tensor& x, const Norm& norm,
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

}  // namespace

at::Tensor norm_forward(const at::Tensor& x, const Norm& norm, NormStatistics& statistics,
                        bool rounds) {
  if (is_cpu_float(x)) return cpu_forward(x, norm, statistics, rounds);
  const bool is_layer = norm.kind == NormKind::kLayer;
  const at::Tensor y =
      is_layer ? layer_forward(x, norm, statistics) : rms_forward(x, norm, statistics);
  return rounds ? y.to(at::kBFloat16) : y;
}

at::Tensor norm_backward(const at::Tensor& y_gradient, const at::Tensor& x, const Norm& norm,
                         const NormStatistics& statistics, const at::Tensor& weight_gradient,
                         const at::Tensor& bias_gradient, const at::Tensor& added) {
  if (is_cpu_float(x)) {
    require_fits(is_cpu_factor(y_gradient), "the gradient of a norm");
    require_fits(!added.defined() || is_cpu_float(added),
                 "what is added to the gradient of a norm");
    const auto backward = is_cpu_float(y_gradient) ? cpu_backward<float> : cpu_backward<Bfloat16>;
    return backward(y_gradient, x, norm, statistics, weight_gradient, bias_gradient, added);
  }
  at::Tensor x_gradient = backward_by_aten(y_gradient.to(x.scalar_type()), x, norm, statistics,
                                           weight_gradient, bias_gradient);
  return added.defined() ? x_gradient.add_(added) : x_gradient;
}

}  // namespace pdl
