#include "biased_cross_entropy.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "pdl/kernels/cpu_kernels.h"
#include "pdl/ops/ignore_target.h"

namespace pdl {

BiasedCrossEntropy::BiasedCrossEntropy(const CountedVocabulary& vocabulary,
                                       const at::Tensor& targets, const at::Tensor& group_of_sum)
    : vocabulary_(vocabulary), targets_(targets), largest_bias_(vocabulary.biases.amax(0)) {
  factors_ = vocabulary.biases.sub(largest_bias_).exp_();
  const int64_t width = factors_.size(1);
  constexpr int64_t kWidth = 8;  // of which the kernel wants whole ones
  factors_ = at::constant_pad_nd(factors_, {0, (width + kWidth - 1) / kWidth * kWidth - width});
  if (group_of_sum.defined()) factors_ = factors_.index_select(0, group_of_sum);
  totals_ = at::zeros({targets.size(0), factors_.size(1)}, factors_.options());
}

void BiasedCrossEntropy::add(int64_t first, const at::Tensor& sums) {
  at::Tensor totals = totals_.narrow(0, first, sums.size(0));
  if (!sums.is_cpu()) {
    at::mm_out(totals, sums, factors_);
    return;
  }
  const auto* factors = factors_.const_data_ptr<double>();
  for (int64_t i = 0; i < sums.size(0); ++i) {
    cpu_kernels().weigh_sums(sums.const_data_ptr<double>() + i * sums.stride(0), sums.size(1),
                             factors, totals.size(1),
                             totals.mutable_data_ptr<double>() + i * totals.stride(0));
  }
}

at::Tensor BiasedCrossEntropy::values(const at::Tensor& references,
                                      const at::Tensor& target_logits) const {
  const at::Tensor groups = vocabulary_.group_of_token.index_select(0, targets_.clamp_min(0));
  const at::Tensor target_biases = vocabulary_.biases.index_select(0, groups);
  return totals_.narrow(1, 0, largest_bias_.size(0))
      .log()
      .add_(largest_bias_.sub(target_biases))
      .add_(references.sub(target_logits).unsqueeze(1))
      .masked_fill_(targets_.eq(kIgnoreTarget).unsqueeze(1), 0);
}

at::Tensor reference_biased_cross_entropy(const at::Tensor& rows, const at::Tensor& targets,
                                          const CountedVocabulary& vocabulary) {
  BiasedCrossEntropy result(vocabulary, targets);
  constexpr int64_t kValues = int64_t{1} << 24;  // of a chunk in float64, beside the logits
  const int64_t chunk = std::max<int64_t>(1, kValues / rows.size(1));
  const at::Tensor references = rows.amax(1).to(at::kDouble);
  for (int64_t begin = 0; begin < rows.size(0); begin += chunk) {
    const int64_t count = std::min(chunk, rows.size(0) - begin);
    const at::Tensor logits = rows.narrow(0, begin, count).to(at::kDouble);
    at::Tensor sums = at::zeros({count, vocabulary.biases.size(0)}, logits.options());
    sums.index_add_(1, vocabulary.group_of_token,
                    logits.sub(references.narrow(0, begin, count).unsqueeze(1)).exp_());
    result.add(begin, sums);
  }
  const at::Tensor y = targets.clamp_min(0).unsqueeze(1);
  return result.values(references, rows.gather(1, y).squeeze(1).to(at::kDouble));
}

}  // namespace pdl
