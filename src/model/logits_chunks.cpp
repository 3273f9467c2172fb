#include "pdl/model/logits_chunks.h"

#include <ATen/ops/zeros_like.h>

#include <algorithm>

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

void for_each_logits_chunk(LanguageModel& model, const at::Tensor& hidden, int64_t chunk_positions,
                           const LogitsVisitor& visit) {
  const auto scope = model.compute_scope();
  for_each_chunk(hidden.size(1), chunk_positions, [&](int64_t begin, int64_t count) {
    visit(model.head(hidden.detach().narrow(1, begin, count)), begin);
  });
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

int64_t automatic_chunk_positions(const ModelInfo& model, int64_t batch_positions, bool trains) {
  if (!model.splits_head) return 0;
  if (trains && model.fuses_head_and_loss) {
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
