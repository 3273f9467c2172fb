#include "pdl/ops/rotary.h"

#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <numbers>
#include <utility>

#include "cpu_tensors.h"
#include "pdl/kernels/cpu_kernels.h"

#ifndef _OPENMP
#error "at::parallel_for runs in one thread in a file that is compiled without -fopenmp"
#endif

namespace pdl {
namespace {

// Long waves are stretched by `factor`, short ones stay, those between are blended.
at::Tensor llama3_frequencies(const at::Tensor& frequencies, const RotarySpec& spec) {
  const auto length = static_cast<double>(spec.original_max_positions);
  const at::Tensor wave_length = frequencies.reciprocal().mul(2 * std::numbers::pi);
  const at::Tensor blend = wave_length.reciprocal()
                               .mul(length)
                               .sub(spec.low_freq_factor)
                               .div(spec.high_freq_factor - spec.low_freq_factor);
  const at::Tensor stretched = frequencies.div(spec.factor);
  const at::Tensor blended = blend.neg().add(1).mul(stretched).add(blend.mul(frequencies));
  const at::Tensor long_or_blended =
      at::where(wave_length.gt(length / spec.low_freq_factor), stretched, blended);
  return at::where(wave_length.lt(length / spec.high_freq_factor), frequencies, long_or_blended);
}

// The two halves of the pairs of x.
std::pair<at::Tensor, at::Tensor> pairs_of(const at::Tensor& x, const RotaryAngles& angles) {
  const int64_t half = angles.cos.size(-1);
  if (!angles.interleaved) return {x.narrow(-1, 0, half), x.narrow(-1, half, half)};
  return {x.slice(-1, 0, 2 * half, 2), x.slice(-1, 1, 2 * half, 2)};
}

void turn_by_aten(const at::Tensor& x, const RotaryAngles& angles, double direction) {
  const auto [a, b] = pairs_of(x, angles);
  const at::Tensor turned_a = a.mul(angles.cos).addcmul_(b, angles.sin, -direction);
  b.copy_(b.mul(angles.cos).addcmul_(a, angles.sin, direction));
  a.copy_(turned_a);
}

template <class Value, class RotateHeads>
void turn_rows(const at::Tensor& x, const RotaryAngles& angles, double direction,
               const RotateHeads& rotate_heads) {
  constexpr int64_t kLeastWork = 16'384;  // values that are worth a thread
  const int64_t length = x.size(1);
  const int64_t pairs = angles.cos.size(-1);
  const bool shares_angles = angles.cos.size(0) == 1;
  auto* values = static_cast<Value*>(x.data_ptr());
  const auto* cos = angles.cos.const_data_ptr<float>();
  const auto* sin = angles.sin.const_data_ptr<float>();
  const int64_t grain = std::max<int64_t>(1, kLeastWork / (x.size(2) * x.size(3)));
  at::parallel_for(0, x.size(0) * length, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = (shares_angles ? i % length : i) * pairs;
      rotate_heads({values + i / length * x.stride(0) + i % length * x.stride(1), x.stride(2)},
                   x.size(2), cos + first, sin + first, pairs, angles.interleaved,
                   static_cast<float>(direction));
    }
  });
}

void turn(const at::Tensor& x, const RotaryAngles& angles, double direction) {
  if (!is_cpu_factor(x)) return turn_by_aten(x, angles, direction);
  require_contiguous_rows(x, "what is rotated");
  if (is_cpu_float(x)) {
    turn_rows<float>(x, angles, direction, cpu_kernels().rotate_float);
  } else {
    turn_rows<Bfloat16>(x, angles, direction, cpu_kernels().rotate_bfloat16);
  }
}

}  // namespace

at::Tensor rotary_frequencies(const RotarySpec& spec, at::Device device) {
  const at::Tensor exponents =
      at::arange(0, spec.dims, 2, at::dtype(at::kLong)).to(at::kFloat).div(spec.dims);
  at::Tensor frequencies = at::pow(spec.theta, exponents).reciprocal();
  if (spec.type == RotaryType::kLinear) frequencies = frequencies.div(spec.factor);
  if (spec.type == RotaryType::kLlama3) frequencies = llama3_frequencies(frequencies, spec);
  return frequencies.to(device);
}

RotaryAngles rotary_angles(const at::Tensor& positions, const at::Tensor& frequencies,
                           bool interleaved) {
  const at::Tensor angles = positions.to(at::kFloat).unsqueeze(-1).unsqueeze(-1).mul(frequencies);
  return {angles.cos(), angles.sin(), interleaved};
}

void rotate(const at::Tensor& x, const RotaryAngles& angles) { turn(x, angles, 1); }
void rotate_back(const at::Tensor& x, const RotaryAngles& angles) { turn(x, angles, -1); }

}  // namespace pdl
