#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pdl/base/error.h"
#include "pdl/base/random.h"
#include "pdl/base/sha256.h"
#include "pdl/text/sentencepiece_trainer.h"
#include "pdl/text/tokenizer.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

using ::testing::HasSubstr;

const std::string& model_bytes() {
  static const std::string bytes = [] {
    std::vector<std::string> sentences;
    for (int i = 0; i < 200; ++i)
      sentences.push_back("lorem ipsum " + std::to_string(i) + " dolor sit amet");
    return train_sentencepiece_bpe(sentences, 300);
  }();
  return bytes;
}

TEST(SentencePieceTokenizerTest, DescribesTheModel) {
  const TempFolder folder;
  const auto tokenizer = load_tokenizer(folder.file("t.model", model_bytes()));
  EXPECT_EQ(tokenizer->size(), 300);
  EXPECT_EQ(tokenizer->bos_id(), 1);
  EXPECT_EQ(tokenizer->eos_id(), 2);
  EXPECT_EQ(tokenizer->pad_id(), std::nullopt);
  EXPECT_EQ(tokenizer->special_ids(), (std::vector<int32_t>{0, 1, 2}));  // and no byte token
  EXPECT_EQ(tokenizer->sha256(), sha256(model_bytes()));
}

TEST(SentencePieceTokenizerTest, PiecesSpellTheText) {
  const TempFolder folder;
  const auto tokenizer = load_tokenizer(folder.file("t.model", model_bytes()));
  std::string spelled;
  for (const int32_t id : tokenizer->encode("lorem dolor")) spelled += tokenizer->piece(id);
  EXPECT_EQ(spelled, "▁lorem▁dolor");
  EXPECT_TRUE(tokenizer->encode("").empty());
}

TEST(SentencePieceTokenizerTest, MissingAndForeignFilesAreModelErrors) {
  const TempFolder folder;
  EXPECT_THROW(load_tokenizer(folder / "none.model"), ModelError);
  EXPECT_THROW(load_tokenizer(folder.path()), ModelError);
  EXPECT_THROW(load_tokenizer(folder.file("empty.model", "")), ModelError);
  EXPECT_THROW(load_tokenizer(folder.file("text.model", "this is no model")), ModelError);
}

// Whatever the bytes, the process lives and the file is either refused or works.
TEST(SentencePieceTokenizerTest, DamagedModelsNeverEndTheProcess) {
  const TempFolder folder;
  Random random(1);
  for (int i = 0; i < 30; ++i) {
    std::string damaged = model_bytes();
    if (i % 2 == 0) {
      damaged.resize(random.below(damaged.size()));
    } else {
      for (int flips = 0; flips < 5; ++flips)
        damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
    }
    try {
      load_tokenizer(folder.file("damaged.model", damaged))->encode("lorem");
    } catch (const ModelError& problem) {
      EXPECT_THAT(problem.what(), HasSubstr("damaged.model"));
    }
  }
}

}  // namespace
}  // namespace pdl
