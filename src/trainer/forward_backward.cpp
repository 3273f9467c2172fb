#include "pdl/trainer/forward_backward.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <utility>

#include "pdl/model/autocast.h"
#include "pdl/ops/cross_entropy.h"

namespace pdl {
namespace {

BatchLoss add_whole_gradient(LanguageModel& model, const Batch& batch, const at::Tensor& weights,
                             const at::Tensor& weight_sum, Profiler* profiler) {
  at::Tensor logits;
  {
    const ProfiledPhase phase(profiler, "forward");
    logits = model.forward(batch.input_ids);
  }
  LossTerms terms;
  {
    const ProfiledPhase phase(profiler, "loss");
    terms = weighted_cross_entropy(std::move(logits), batch.targets, weights, weight_sum);
  }
  const ProfiledPhase phase(profiler, "backward");
  terms.loss.backward();
  return {terms.weighted_sum, terms.ce_sum};
}

// Head and loss of some rows, forward and backward; the gradient of `rows` [1, N, D] goes into
// `gradient`.
LossTerms add_chunk_gradient(LanguageModel& model, const at::Tensor& rows,
                             const at::Tensor& targets, const at::Tensor& weights,
                             const at::Tensor& weight_sum, at::Tensor gradient) {
  const at::Tensor leaf = rows.detach().set_requires_grad(true);
  LossTerms terms = weighted_cross_entropy(model.head(leaf), targets, weights, weight_sum);
  const Autocast none(model.device(), std::nullopt);
  terms.loss.backward();
  gradient.copy_(leaf.grad());
  return terms;
}

BatchLoss add_chunked_gradient(LanguageModel& model, const Batch& batch, const at::Tensor& weights,
                               const at::Tensor& weight_sum,
                               const ForwardBackwardOptions& options) {
  at::Tensor hidden;
  at::Tensor hidden_gradient;
  BatchLoss sums{at::zeros_like(weight_sum), at::zeros_like(weight_sum)};
  {
    // One scope for all chunks, so that a 16-bit copy of the head is made once.
    const Autocast autocast(model.device(), model.autocast_dtype());
    {
      const ProfiledPhase phase(options.profiler, "forward");
      hidden = model.hidden(batch.input_ids);
    }
    const ProfiledPhase phase(options.profiler, "head and loss");
    const int64_t num_rows = batch.targets.numel();
    const at::Tensor rows = hidden.detach().reshape({1, num_rows, -1});
    const at::Tensor targets = batch.targets.reshape({1, num_rows});
    hidden_gradient = at::empty_like(rows);
    for (int64_t begin = 0; begin < num_rows; begin += options.chunk_positions) {
      const int64_t count = std::min(options.chunk_positions, num_rows - begin);
      const LossTerms terms =
          add_chunk_gradient(model, rows.narrow(1, begin, count), targets.narrow(1, begin, count),
                             weights, weight_sum, hidden_gradient.narrow(1, begin, count));
      sums.weighted_sum.add_(terms.weighted_sum);
      sums.ce_sum.add_(terms.ce_sum);
    }
  }
  if (!hidden.requires_grad()) return sums;  // all but the head is frozen
  const ProfiledPhase phase(options.profiler, "backward");
  hidden.backward(hidden_gradient.reshape(hidden.sizes()));
  return sums;
}

}  // namespace

BatchLoss forward_backward(LanguageModel& model, const Batch& batch, const at::Tensor& weights,
                           const at::Tensor& weight_sum, const ForwardBackwardOptions& options) {
  if (options.chunk_positions > 0) {
    return add_chunked_gradient(model, batch, weights, weight_sum, options);
  }
  return add_whole_gradient(model, batch, weights, weight_sum, options.profiler);
}

int64_t automatic_chunk_positions(const LanguageModel& model, int64_t batch_rows) {
  if (!model.has_head()) return 0;
  // A chunk of 96 MB in float32, but rows enough for efficient matrix products. Each chunk adds its
  // gradient of the head to the others' in memory, so that smaller ones cost time.
  constexpr int64_t kChunkLogits = 24'000'000;
  constexpr int64_t kMinRows = 256;
  const int64_t rows = std::max(kMinRows, kChunkLogits / model.vocab_size());
  if (batch_rows < 2 * rows) return 0;
  const int64_t num_chunks = (batch_rows - 1) / rows + 1;
  return (batch_rows - 1) / num_chunks + 1;  // all of nearly one size
}

}  // namespace pdl
