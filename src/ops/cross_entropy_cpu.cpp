#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/util/BFloat16.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>
#include <vector>

#include "biased_cross_entropy.h"
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

// Rows are evaluated in blocks. Both passes over a row are made while it is in a near cache.
constexpr int64_t kBlockRows = 16;

// Evaluates a row and writes the sums of groups to `sums`, unless that is null.
template <class Logit>
RowEvaluation evaluate_row(const Logit* logits, int64_t target, const CountedVocabulary& vocabulary,
                           const uint8_t* bands, double* sums) {
  const int64_t vocab_size = std::ssize(vocabulary.tokens);
  const RowEvaluation evaluation = row_kernels<Logit>().evaluate(logits, vocab_size, target, bands);
  if (sums == nullptr) return evaluation;
  const TokenGroups groups = groups_of(vocabulary);
  if (evaluation.argmax < 0) {
    std::fill_n(sums, groups.count, std::numeric_limits<double>::quiet_NaN());
  } else {
    row_kernels<Logit>().group_sums(logits, vocab_size, groups, evaluation.argmax, sums);
  }
  return evaluation;
}

// Returns the logits [N] float64 of one token of each row.
at::Tensor logits_of(const at::Tensor& rows, const at::Tensor& tokens) {
  return rows.gather(1, tokens.clamp_min(0).unsqueeze(1)).squeeze(1).to(at::kDouble);
}

at::Tensor largest_logits(const at::Tensor& rows, const std::vector<RowEvaluation>& evaluations) {
  at::Tensor tokens = at::empty({rows.size(0)}, at::kLong);
  auto* token = tokens.mutable_data_ptr<int64_t>();
  for (const RowEvaluation& evaluation : evaluations) *token++ = evaluation.argmax;
  return logits_of(rows, tokens);
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
                                           const CountedVocabulary& vocabulary) {
  const int64_t num_rows = rows.size(0);
  const std::vector<int64_t> y = checked_targets(targets, rows.size(1));
  const auto* bands = vocabulary.bands.const_data_ptr<uint8_t>();
  std::vector<RowEvaluation> evaluations(y.size());
  std::optional<BiasedCrossEntropy> biased;
  if (vocabulary.has_biases()) biased.emplace(vocabulary, targets);
  with_logits(rows, [&](const auto* logits) {
    for_each_row((num_rows + kBlockRows - 1) / kBlockRows, [&](int64_t block) {
      const int64_t first = block * kBlockRows;
      const int64_t count = std::min(kBlockRows, num_rows - first);
      const at::Tensor sums =
          at::zeros({count, biased ? std::ssize(vocabulary.ends) : 0}, at::kDouble);
      auto* of_block = sums.mutable_data_ptr<double>();
      for (int64_t row = first; row < first + count; ++row) {
        const auto i = static_cast<size_t>(row);
        if (y[i] == kIgnoreTarget) continue;
        double* of_row = biased ? of_block + (row - first) * sums.size(1) : nullptr;
        evaluations[i] =
            evaluate_row(logits + row * rows.stride(0), y[i], vocabulary, bands, of_row);
      }
      if (biased) biased->add(first, sums);
    });
  });
  PositionEvaluations result = collect_evaluations(evaluations, y);
  if (biased) {
    result.biased_ce = biased->values(largest_logits(rows, evaluations), logits_of(rows, targets));
  }
  return result;
}

}  // namespace pdl
