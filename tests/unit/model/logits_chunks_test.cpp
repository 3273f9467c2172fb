#include "pdl/model/logits_chunks.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <gtest/gtest.h>

#include "support/script_model.h"

namespace pdl {
namespace {

TEST(LogitsChunksTest, ChunksOfAnySizeAreTheLogitsInOrder) {
  const TempFolder folder;
  const auto model = load_script_model(folder, kSplitSource);
  const at::NoGradGuard no_grad;
  const at::Tensor ids = at::arange(12, at::kLong).reshape({3, 4});
  const at::Tensor hidden = model->hidden(ids).reshape({1, 12, -1});
  const at::Tensor logits = model->forward(ids).reshape({1, 12, -1});
  for (const int64_t size : {1, 5, 12, 100}) {
    std::vector<at::Tensor> chunks;
    int64_t next = 0;
    for_each_logits_chunk(*model, hidden, size, [&](const at::Tensor& chunk, int64_t begin) {
      EXPECT_EQ(begin, next);
      EXPECT_LE(chunk.size(1), size);
      next += chunk.size(1);
      chunks.push_back(chunk);
    });
    EXPECT_TRUE(at::cat(chunks, 1).allclose(logits)) << size;
  }
}

TEST(LogitsChunksTest, AutomaticChunksNeedAHeadAndARewardingSize) {
  ModelInfo whole;
  whole.vocab_size = kTestVocab;
  EXPECT_EQ(automatic_chunk_positions(whole, int64_t{1} << 40, /*trains=*/true), 0);
  ModelInfo split = whole;
  split.splits_head = true;
  EXPECT_EQ(automatic_chunk_positions(split, 100, /*trains=*/true), 0);
  for (const bool is_program : {true, false}) {
    split.is_program = is_program;
    const int64_t most = (is_program ? 24'000'000 : 8'000'000) / kTestVocab;  // 96 or 32 MB
    EXPECT_EQ(automatic_chunk_positions(split, 2 * most - 1, /*trains=*/true), 0);
    EXPECT_EQ(automatic_chunk_positions(split, 2 * most, /*trains=*/true), most);
    EXPECT_EQ(automatic_chunk_positions(split, 2 * most + 1, /*trains=*/true), most);
  }
}

TEST(LogitsChunksTest, TrainingWithoutLogitsInMemoryNeedsFewerChunks) {
  ModelInfo model;
  model.vocab_size = 100'000;
  model.splits_head = true;
  model.fuses_head_and_loss = true;
  EXPECT_EQ(automatic_chunk_positions(model, 4096, /*trains=*/true), 0);
  EXPECT_EQ(automatic_chunk_positions(model, 4097, /*trains=*/true), 4096);
  EXPECT_EQ(automatic_chunk_positions(model, 4096, /*trains=*/false), 256);
}

}  // namespace
}  // namespace pdl
