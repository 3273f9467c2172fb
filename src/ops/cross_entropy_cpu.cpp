#include <ATen/Parallel.h>
#include <c10/util/BFloat16.h>

#include <cstring>
#include <type_traits>
#include <vector>

#include "cpu_targets.h"
#include "logits_view.h"
#include "pdl/kernels/cpu_kernels.h"
#include "pdl/ops/ignore_target.h"

#ifndef _OPENMP
#error "at::parallel_for runs in one thread in a file that is compiled without -fopenmp"
#endif

namespace pdl {
namespace {

template <class Logit>
const RowKernels<Logit>& row_kernels() {
  if constexpr (std::is_same_v<Logit, float>) {
    return cpu_kernels().float_rows;
  } else {
    return cpu_kernels().bfloat16_rows;
  }
}

// Calls run with a float or Bfloat16 pointer to the first row.
template <class Run>
auto with_logits(const at::Tensor& rows, const Run& run) {
  if (rows.scalar_type() == at::kFloat) return run(static_cast<float*>(rows.data_ptr()));
  return run(static_cast<Bfloat16*>(rows.data_ptr()));
}

template <class Visit>
void for_each_row(int64_t num_rows, const Visit& visit) {
  at::parallel_for(0, num_rows, /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) visit(row);
  });
}

}  // namespace

bool has_cpu_kernels(const at::Tensor& rows) {
  return rows.is_cpu() && (rows.scalar_type() == at::kFloat || rows.scalar_type() == at::kBFloat16);
}

CrossEntropySums cpu_cross_entropy_gradient(const at::Tensor& rows, const at::Tensor& targets,
                                            const at::Tensor& weights,
                                            const at::Tensor& weight_sum) {
  const int64_t num_rows = rows.size(0);
  const int64_t vocab_size = rows.size(1);
  const int64_t row_stride = rows.stride(0);
  const std::vector<int64_t> y = checked_targets(targets, vocab_size);
  const at::Tensor contiguous_weights = weights.contiguous();
  const auto* w = contiguous_weights.const_data_ptr<float>();
  const double denominator = weight_sum.item<double>();
  std::vector<double> ce(y.size());
  with_logits(rows, [&]<class Logit>(Logit* logits) {
    const auto gradient = row_kernels<Logit>().cross_entropy_gradient;
    for_each_row(num_rows, [&](int64_t row) {
      const auto i = static_cast<size_t>(row);
      Logit* row_logits = logits + row * row_stride;
      if (y[i] == kIgnoreTarget) {
        std::memset(row_logits, 0, static_cast<size_t>(vocab_size) * sizeof(Logit));
      } else {
        ce[i] = gradient(row_logits, vocab_size, y[i], static_cast<double>(w[y[i]]) / denominator);
      }
    });
  });
  return sum_cross_entropy(ce, y, w);
}

PositionEvaluations cpu_evaluate_positions(const at::Tensor& rows, const at::Tensor& targets,
                                           const at::Tensor& bands) {
  const int64_t num_rows = rows.size(0);
  const int64_t vocab_size = rows.size(1);
  const int64_t row_stride = rows.stride(0);
  const std::vector<int64_t> y = checked_targets(targets, vocab_size);
  const at::Tensor contiguous_bands = bands.contiguous();
  const auto* band_of_token = contiguous_bands.const_data_ptr<uint8_t>();
  std::vector<RowEvaluation> evaluations(y.size());
  with_logits(rows, [&]<class Logit>(const Logit* logits) {
    const auto evaluate = row_kernels<Logit>().evaluate;
    for_each_row(num_rows, [&](int64_t row) {
      const auto i = static_cast<size_t>(row);
      if (y[i] == kIgnoreTarget) return;
      evaluations[i] = evaluate(logits + row * row_stride, vocab_size, y[i], band_of_token);
    });
  });
  return collect_evaluations(evaluations, y);
}

}  // namespace pdl
