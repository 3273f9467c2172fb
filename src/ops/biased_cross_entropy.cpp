#include "pdl/ops/biased_cross_entropy.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpu_targets.h"
#include "logits_view.h"
#include "pdl/base/error.h"
#include "pdl/kernels/cpu_kernels.h"
#include "pdl/ops/ignore_target.h"

#ifndef _OPENMP
#error "at::parallel_for runs in one thread in a file that is compiled without -fopenmp"
#endif

namespace pdl {
namespace {

// Σ exp(logit - largest) of each row and group, and the largest logits.
struct GroupedRows {
  at::Tensor sums;     // [N, C] float64
  at::Tensor largest;  // [N, 1] float64
};

GroupedRows group_by_kernels(const at::Tensor& rows, const TokenBiases& biases) {
  const TokenGroups groups{biases.tokens.data(), biases.ends.data(), std::ssize(biases.ends)};
  const GroupedRows result{at::empty({rows.size(0), groups.count}, at::kDouble),
                           at::empty({rows.size(0), 1}, at::kDouble)};
  auto* sums = result.sums.mutable_data_ptr<double>();
  auto* largest = result.largest.mutable_data_ptr<double>();
  const auto group_all = [&](const auto* logits, const auto& kernels) {
    at::parallel_for(0, rows.size(0), /*grain_size=*/1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        largest[i] = static_cast<double>(kernels.group_sums(
            logits + i * rows.stride(0), rows.size(1), groups, sums + i * groups.count));
    });
  };
  if (rows.scalar_type() == at::kFloat) {
    group_all(rows.const_data_ptr<float>(), cpu_kernels().float_rows);
  } else {
    group_all(static_cast<const Bfloat16*>(rows.const_data_ptr()), cpu_kernels().bfloat16_rows);
  }
  return result;
}

GroupedRows group_by_aten(const at::Tensor& rows, const TokenBiases& biases) {
  const at::Tensor logits = rows.to(at::kDouble);
  const at::Tensor largest = logits.amax(1, /*keepdim=*/true);
  at::Tensor sums = at::zeros({rows.size(0), std::ssize(biases.ends)}, logits.options());
  sums.index_add_(1, biases.group_of_token, logits.sub(largest).exp_());
  return {sums, largest};
}

at::Tensor ce_of_rows(const at::Tensor& rows, const at::Tensor& targets,
                      const TokenBiases& biases) {
  const GroupedRows grouped =
      has_cpu_kernels(rows) ? group_by_kernels(rows, biases) : group_by_aten(rows, biases);
  // Relative to the largest bias no factor overflows.
  const at::Tensor largest_bias = biases.biases.amax(0);
  const at::Tensor totals = grouped.sums.mm(biases.biases.sub(largest_bias).exp_());
  const at::Tensor y = targets.clamp_min(0);
  const at::Tensor target_logit = rows.gather(1, y.unsqueeze(1)).to(at::kDouble);
  const at::Tensor target_bias =
      biases.biases.index_select(0, biases.group_of_token.index_select(0, y));
  return totals.log()
      .add_(largest_bias.sub(target_bias))
      .add_(grouped.largest.sub(target_logit))
      .masked_fill_(targets.eq(kIgnoreTarget).unsqueeze(1), 0);
}

}  // namespace

TokenBiases::TokenBiases(const std::vector<int64_t>& counts, const std::vector<double>& taus,
                         at::Device device)
    : tokens(counts.size()), group_of_token(at::empty({std::ssize(counts)}, at::kLong)) {
  const auto count_of = [&](int32_t token) { return counts[static_cast<size_t>(token)]; };
  std::iota(tokens.begin(), tokens.end(), 0);
  std::ranges::stable_sort(tokens, {}, count_of);
  auto* group_of = group_of_token.mutable_data_ptr<int64_t>();
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i == 0 || count_of(tokens[i]) != count_of(tokens[i - 1])) ends.push_back(0);
    ends.back() = static_cast<int64_t>(i) + 1;
    group_of[tokens[i]] = std::ssize(ends) - 1;
  }
  biases = at::empty({std::ssize(ends), std::ssize(taus)}, at::kDouble);
  auto* bias = biases.mutable_data_ptr<double>();
  for (const int64_t end : ends) {
    const auto count = static_cast<double>(count_of(tokens[static_cast<size_t>(end) - 1]));
    for (const double tau : taus) *bias++ = tau * std::log1p(count);
  }
  group_of_token = group_of_token.to(device);
  biases = biases.to(device);
}

at::Tensor biased_cross_entropy(const at::Tensor& logits, const at::Tensor& targets,
                                const TokenBiases& biases) {
  const bool fits = logits.dim() == 3 && targets.dim() == 2 && logits.size(0) == targets.size(0) &&
                    logits.size(1) == targets.size(1) &&
                    logits.size(2) == biases.group_of_token.size(0) &&
                    targets.scalar_type() == at::kLong && logits.device() == targets.device() &&
                    logits.device() == biases.biases.device();
  if (!fits) {
    throw Error(ExitCode::kInternal,
                "biased_cross_entropy: logits, targets and biases disagree in shape, dtype or "
                "device");
  }
  if (targets.numel() == 0) return at::zeros({0, biases.biases.size(1)}, biases.biases.options());
  at::Tensor rows = view_as_rows(logits);
  if (!rows.defined()) rows = view_as_rows(logits.contiguous());
  const at::Tensor flat_targets = targets.reshape(-1);
  if (rows.is_cpu()) checked_targets(flat_targets, rows.size(1));
  constexpr int64_t kValues = int64_t{1} << 24;  // of a chunk in float64, beside the logits
  const int64_t width = has_cpu_kernels(rows) ? biases.biases.size(0) : rows.size(1);
  const int64_t chunk = std::max<int64_t>(1, kValues / width);
  std::vector<at::Tensor> parts;
  for (int64_t begin = 0; begin < rows.size(0); begin += chunk) {
    const int64_t count = std::min(chunk, rows.size(0) - begin);
    parts.push_back(
        ce_of_rows(rows.narrow(0, begin, count), flat_targets.narrow(0, begin, count), biases));
  }
  return at::cat(parts);
}

}  // namespace pdl
