#include "pdl/model/logits_chunks.h"

#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

#include "pdl/kernels/cpu_kernels.h"

namespace pdl {
namespace {

template <class Visit>
void for_each_chunk(int64_t num_positions, int64_t chunk_positions, const Visit& visit) {
  const int64_t most = chunk_positions > 0 ? chunk_positions : std::max<int64_t>(num_positions, 1);
  const int64_t count = (num_positions + most - 1) / most;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = num_positions * i / count;
    visit(begin, num_positions * (i + 1) / count - begin);
  }
}

}  // namespace

PositionEvaluations evaluate_in_chunks(LanguageModel& model, const at::Tensor& hidden,
                                       int64_t chunk_positions, const at::Tensor& targets,
                                       const CountedVocabulary& vocabulary) {
  const int64_t num_positions = hidden.size(1);
  const auto zeros = [&](at::IntArrayRef sizes, at::ScalarType dtype) {
    return at::zeros(sizes, at::dtype(dtype).device(targets.device()));
  };
  PositionEvaluations all{zeros({num_positions}, at::kDouble), zeros({num_positions}, at::kBool),
                          zeros({static_cast<int64_t>(kMaxBands)}, at::kDouble)};
  if (vocabulary.has_biases())
    all.biased_ce = zeros({num_positions, vocabulary.biases.size(1)}, at::kDouble);
  const auto scope = model.compute_scope();
  for_each_chunk(num_positions, chunk_positions, [&](int64_t begin, int64_t count) {
    const at::Tensor part = hidden.detach().narrow(1, begin, count);
    const PositionEvaluations chunk =
        model.evaluate_head(part, targets.narrow(1, begin, count), vocabulary);
    all.ce.narrow(0, begin, count).copy_(chunk.ce);
    all.is_hit.narrow(0, begin, count).copy_(chunk.is_hit);
    all.band_mass.add_(chunk.band_mass);
    if (vocabulary.has_biases()) all.biased_ce.narrow(0, begin, count).copy_(chunk.biased_ce);
  });
  return all;
}

CrossEntropySums head_gradient_in_chunks(LanguageModel& model, const at::Tensor& hidden,
                                         int64_t chunk_positions, const LossTargets& targets,
                                         const at::Tensor& hidden_gradient) {
  CrossEntropySums sums{at::zeros_like(targets.weight_sum), at::zeros_like(targets.weight_sum)};
  const auto scope = model.compute_scope();
  for_each_chunk(hidden.size(1), chunk_positions, [&](int64_t begin, int64_t count) {
    const HeadGradient chunk =
        model.head_gradient(hidden.narrow(1, begin, count), targets.targets.narrow(1, begin, count),
                            targets.weights, targets.weight_sum);
    hidden_gradient.narrow(1, begin, count).copy_(chunk.hidden);
    sums.weighted_sum.add_(chunk.sums.weighted_sum);
    sums.ce_sum.add_(chunk.sums.ce_sum);
  });
  return sums;
}

int64_t automatic_chunk_positions(const ModelInfo& model, int64_t batch_positions) {
  if (!model.splits_head) return 0;
  if (model.fuses_head_and_loss) {
    constexpr int64_t kFusedPositions = 4096;  // so that the head's gradient is seldom added to
    return batch_positions <= kFusedPositions ? 0 : kFusedPositions;
  }
  // A chunk has enough positions for efficient matrix products, and takes 96 MB in float32 of a
  // program: each chunk adds its gradient of the head to the sum in memory, so that smaller chunks
  // cost time. The decoder of this program takes 32 MB, for less memory.
  const int64_t chunk_logits = model.is_program ? 24'000'000 : 8'000'000;
  constexpr int64_t kMinPositions = 256;
  const int64_t positions = std::max(kMinPositions, chunk_logits / model.vocab_size);
  return batch_positions < 2 * positions ? 0 : positions;
}

}  // namespace pdl
