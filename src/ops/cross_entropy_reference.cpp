#include <ATen/ops/arange.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <vector>

#include "logits_view.h"
#include "pdl/kernels/cpu_kernels.h"
#include "pdl/ops/ignore_target.h"

namespace pdl {
namespace {

// The logits of a chunk: 256 MB of float32, little compared with a model's own memory.
constexpr int64_t kChunkLogits = int64_t{1} << 26;

template <class Visit>
void for_each_chunk(const at::Tensor& rows, const at::Tensor& targets, const Visit& visit) {
  const int64_t size = std::max<int64_t>(1, kChunkLogits / rows.size(1));
  for (int64_t begin = 0; begin < rows.size(0); begin += size) {
    const int64_t count = std::min(size, rows.size(0) - begin);
    visit(rows.narrow(0, begin, count), targets.narrow(0, begin, count));
  }
}

at::Tensor float64_scalar(const at::Tensor& like) {
  return at::zeros({}, like.options().dtype(at::kDouble));
}

}  // namespace

CrossEntropySums reference_cross_entropy_gradient(const at::Tensor& rows, const at::Tensor& targets,
                                                  const at::Tensor& weights,
                                                  const at::Tensor& weight_sum) {
  CrossEntropySums sums{float64_scalar(weight_sum), float64_scalar(weight_sum)};
  for_each_chunk(rows, targets, [&](const at::Tensor& logits, const at::Tensor& y) {
    const at::Tensor is_ignored = y.eq(kIgnoreTarget);
    const at::Tensor index = y.clamp_min(0).unsqueeze(1);
    const at::Tensor w =
        weights.index_select(0, index.squeeze(1)).to(at::kDouble).masked_fill_(is_ignored, 0);
    at::Tensor gradient = at::log_softmax(logits, -1, at::kFloat);
    const at::Tensor ce =
        gradient.gather(1, index).squeeze(1).neg().to(at::kDouble).masked_fill_(is_ignored, 0);
    sums.weighted_sum.add_(w.mul(ce).sum());
    sums.ce_sum.add_(ce.sum());
    gradient.exp_();
    gradient.scatter_(1, index, -1, "add");
    gradient.mul_(w.div(weight_sum).to(at::kFloat).unsqueeze(1));
    gradient.masked_fill_(is_ignored.unsqueeze(1), 0);
    logits.copy_(gradient);
  });
  return sums;
}

PositionEvaluations reference_evaluate_positions(const at::Tensor& rows, const at::Tensor& targets,
                                                 const at::Tensor& bands) {
  std::vector<at::Tensor> ces;
  std::vector<at::Tensor> hits;
  at::Tensor mass = at::zeros({rows.size(1)}, rows.options().dtype(at::kDouble));
  for_each_chunk(rows, targets, [&](const at::Tensor& logits, const at::Tensor& y) {
    const at::Tensor is_ignored = y.eq(kIgnoreTarget);
    const at::Tensor log_softmax = at::log_softmax(logits, -1, at::kFloat);
    ces.push_back(log_softmax.gather(1, y.clamp_min(0).unsqueeze(1))
                      .squeeze(1)
                      .neg()
                      .to(at::kDouble)
                      .masked_fill_(is_ignored, 0));
    hits.push_back(logits.argmax(-1).eq(y));
    mass.add_(log_softmax.exp()
                  .masked_fill_(is_ignored.unsqueeze(1), 0)
                  .sum(at::IntArrayRef{0}, /*keepdim=*/false, at::kDouble));
  });
  at::Tensor band_mass =
      at::zeros({static_cast<int64_t>(kMaxBands)}, rows.options().dtype(at::kDouble));
  band_mass.index_add_(0, bands.to(at::kLong), mass);
  return {at::cat(ces), at::cat(hits), band_mass};
}

}  // namespace pdl
