#include "cpu_targets.h"

#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/zeros.h>

#include <string>

#include "pdl/base/error.h"
#include "pdl/ops/ignore_target.h"

namespace pdl {
namespace {

at::Tensor float64_scalar(double value) { return at::scalar_tensor(value, at::dtype(at::kDouble)); }

}  // namespace

std::vector<int64_t> checked_targets(const at::Tensor& targets, int64_t vocab_size) {
  const at::Tensor contiguous = targets.contiguous();
  const auto* begin = contiguous.const_data_ptr<int64_t>();
  std::vector<int64_t> checked(begin, begin + contiguous.numel());
  for (const int64_t target : checked) {
    if (target != kIgnoreTarget && (target < 0 || target >= vocab_size)) {
      throw Error(ExitCode::kInternal, "target " + std::to_string(target) + " of " +
                                           std::to_string(vocab_size) + " logits");
    }
  }
  return checked;
}

CrossEntropySums sum_cross_entropy(const std::vector<double>& ce,
                                   const std::vector<int64_t>& targets, const float* weights) {
  double weighted_sum = 0;
  double ce_sum = 0;
  for (size_t i = 0; i < targets.size(); ++i) {
    if (targets[i] == kIgnoreTarget) continue;
    weighted_sum += static_cast<double>(weights[targets[i]]) * ce[i];
    ce_sum += ce[i];
  }
  return {float64_scalar(weighted_sum), float64_scalar(ce_sum)};
}

TokenGroups groups_of(const CountedVocabulary& vocabulary) {
  return {vocabulary.tokens.data(), vocabulary.ends.data(), std::ssize(vocabulary.ends),
          vocabulary.band_ends.data()};
}

PositionEvaluations collect_evaluations(const std::vector<RowEvaluation>& rows,
                                        const std::vector<int64_t>& targets) {
  const auto num_rows = static_cast<int64_t>(targets.size());
  PositionEvaluations result{at::zeros({num_rows}, at::kDouble), at::zeros({num_rows}, at::kBool),
                             at::zeros({static_cast<int64_t>(kMaxBands)}, at::kDouble)};
  auto* ce = result.ce.mutable_data_ptr<double>();
  auto* is_hit = result.is_hit.mutable_data_ptr<bool>();
  auto* band_mass = result.band_mass.mutable_data_ptr<double>();
  for (size_t i = 0; i < targets.size(); ++i) {
    if (targets[i] == kIgnoreTarget) continue;
    ce[i] = rows[i].ce;
    is_hit[i] = rows[i].argmax == targets[i];
    for (size_t band = 0; band < kMaxBands; ++band) band_mass[band] += rows[i].band_mass[band];
  }
  return result;
}

}  // namespace pdl
