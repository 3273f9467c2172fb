#include "pdl/model/logits_chunks.h"

#include <algorithm>

namespace pdl {
namespace {

template <class Visit>
void for_each_chunk(int64_t num_positions, int64_t chunk_positions, const Visit& visit) {
  for (int64_t begin = 0; begin < num_positions; begin += chunk_positions) {
    visit(begin, std::min(chunk_positions, num_positions - begin));
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

void for_each_trained_logits_chunk(LanguageModel& model, const at::Tensor& hidden,
                                   int64_t chunk_positions, const at::Tensor& hidden_gradient,
                                   const LogitsVisitor& visit) {
  const auto scope = model.compute_scope();
  for_each_chunk(hidden.size(1), chunk_positions, [&](int64_t begin, int64_t count) {
    const at::Tensor leaf = hidden.narrow(1, begin, count).detach().set_requires_grad(true);
    visit(model.head(leaf), begin);
    hidden_gradient.narrow(1, begin, count).copy_(leaf.grad());
  });
}

int64_t automatic_chunk_positions(const ModelInfo& model, int64_t batch_positions) {
  if (!model.splits_head) return 0;
  // A chunk takes 96 MB in float32, but has enough positions for efficient matrix products. Each
  // chunk adds its gradient of the head to the sum in memory, so that smaller chunks cost time.
  constexpr int64_t kChunkLogits = 24'000'000;
  constexpr int64_t kMinPositions = 256;
  const int64_t positions = std::max(kMinPositions, kChunkLogits / model.vocab_size);
  if (batch_positions < 2 * positions) return 0;
  const int64_t num_chunks = (batch_positions - 1) / positions + 1;
  return (batch_positions - 1) / num_chunks + 1;  // all chunks of nearly the same size
}

}  // namespace pdl
