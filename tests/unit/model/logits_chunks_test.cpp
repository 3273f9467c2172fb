#include "pdl/model/logits_chunks.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <vector>

#include "support/script_model.h"

namespace pdl {
namespace {

CountedVocabulary test_vocabulary() {
  std::vector<int64_t> counts;
  for (int64_t i = 0; i < kTestVocab; ++i) counts.push_back(i % 3 * 10);
  return {counts, /*taus=*/{-0.5, 1}, at::kCPU};
}

TEST(LogitsChunksTest, ChunksOfAnySizeGiveTheFiguresOfAllLogits) {
  const TempFolder folder;
  const auto model = load_script_model(folder, kSplitSource);
  const at::NoGradGuard no_grad;
  const at::Tensor ids = at::arange(12, at::kLong).reshape({3, 4});
  const at::Tensor targets = ids.add(1).remainder(kTestVocab).reshape({1, 12});
  const CountedVocabulary vocabulary = test_vocabulary();
  const at::Tensor hidden = model->hidden(ids).reshape({1, 12, -1});
  const PositionEvaluations whole =
      evaluate_positions(model->forward(ids), targets.reshape({3, 4}), vocabulary);
  for (const int64_t size : {0, 1, 5, 12, 100}) {
    const PositionEvaluations chunks =
        evaluate_in_chunks(*model, hidden, size, targets, vocabulary);
    EXPECT_TRUE(chunks.ce.allclose(whole.ce)) << size;
    EXPECT_TRUE(chunks.is_hit.equal(whole.is_hit)) << size;
    EXPECT_TRUE(chunks.band_mass.allclose(whole.band_mass)) << size;
    EXPECT_TRUE(chunks.biased_ce.allclose(whole.biased_ce)) << size;
  }
}

TEST(LogitsChunksTest, NoPositionsGiveNoFigures) {
  const TempFolder folder;
  const auto model = load_script_model(folder, kSplitSource);
  const at::NoGradGuard no_grad;
  const at::Tensor hidden = model->hidden(at::zeros({1, 4}, at::kLong)).narrow(1, 0, 0);
  const PositionEvaluations none =
      evaluate_in_chunks(*model, hidden, 0, at::zeros({1, 0}, at::kLong), test_vocabulary());
  EXPECT_EQ(none.ce.numel(), 0);
  EXPECT_EQ(none.biased_ce.sizes(), (std::vector<int64_t>{0, 2}));
  EXPECT_TRUE(none.band_mass.eq(0).all().item<bool>());
}

TEST(LogitsChunksTest, AutomaticChunksNeedAHeadAndARewardingSize) {
  ModelInfo whole;
  whole.vocab_size = kTestVocab;
  EXPECT_EQ(automatic_chunk_positions(whole, int64_t{1} << 40), 0);
  ModelInfo split = whole;
  split.splits_head = true;
  EXPECT_EQ(automatic_chunk_positions(split, 100), 0);
  for (const bool is_program : {true, false}) {
    split.is_program = is_program;
    const int64_t most = (is_program ? 24'000'000 : 8'000'000) / kTestVocab;  // 96 or 32 MB
    EXPECT_EQ(automatic_chunk_positions(split, 2 * most - 1), 0);
    EXPECT_EQ(automatic_chunk_positions(split, 2 * most), most);
    EXPECT_EQ(automatic_chunk_positions(split, 2 * most + 1), most);
  }
}

TEST(LogitsChunksTest, WithoutLogitsInMemoryFewerAreNeeded) {
  ModelInfo model;
  model.vocab_size = 100'000;
  model.splits_head = true;
  model.fuses_head_and_loss = true;
  EXPECT_EQ(automatic_chunk_positions(model, 4096), 0);
  EXPECT_EQ(automatic_chunk_positions(model, 4097), 4096);
}

}  // namespace
}  // namespace pdl
