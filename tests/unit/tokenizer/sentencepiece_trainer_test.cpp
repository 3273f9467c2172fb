#include "pdl/tokenizer/sentencepiece_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sentencepiece_processor.h>

#include "pdl/base/error.h"
#include "pdl/example/grammar/grammar_corpus.h"

namespace pdl {
namespace {

using testing::HasSubstr;

constexpr LexiconSizes kFewWords = {40, 20, 20, 10, 10, 4};

std::vector<std::string> example_sentences() {
  return {GrammarCorpus(1, kFewWords).text(4000, 0), GrammarCorpus(1, kFewWords).text(4000, 1)};
}

class SentencePieceTrainerTest : public testing::Test {
 protected:
  void train(int64_t vocab_size) {
    const std::string model = train_sentencepiece_bpe(example_sentences(), vocab_size);
    ASSERT_TRUE(processor_.LoadFromSerializedProto(model).ok());
  }

  sentencepiece::SentencePieceProcessor processor_;
};

std::string message_of_failure(const std::vector<std::string>& sentences, int64_t vocab_size) {
  try {
    train_sentencepiece_bpe(sentences, vocab_size);
  } catch (const ModelError& error) {
    return error.what();
  }
  return "no ModelError";
}

TEST_F(SentencePieceTrainerTest, HasTheSizeAndTheSpecialIdsAskedFor) {
  train(384);
  EXPECT_EQ(processor_.GetPieceSize(), 384);
  EXPECT_EQ(processor_.unk_id(), 0);
  EXPECT_EQ(processor_.bos_id(), 1);
  EXPECT_EQ(processor_.eos_id(), 2);
  EXPECT_EQ(processor_.pad_id(), -1);
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_TRUE(processor_.IsByte(3 + byte));
  }
}

TEST_F(SentencePieceTrainerTest, EveryTextSurvivesEncodingAndDecoding) {
  train(384);
  for (const std::string text :
       {"Da  bota\tne\r\n\n kas. ", "\u00e4\ufb01\u6f22\U0001F600", "ordinary English, too"}) {
    std::vector<int> ids;
    std::string decoded;
    ASSERT_TRUE(processor_.Encode(text, &ids).ok());
    EXPECT_THAT(ids, testing::Not(testing::Contains(0)));
    ASSERT_TRUE(processor_.Decode(ids, &decoded).ok());
    EXPECT_EQ(decoded, text);
  }
}

TEST_F(SentencePieceTrainerTest, LearnsPiecesOfTheText) {
  train(384);
  const std::string text = GrammarCorpus(1, kFewWords).text(4000, 2);
  std::vector<int> ids;
  ASSERT_TRUE(processor_.Encode(text, &ids).ok());
  EXPECT_LT(ids.size() * 3, text.size() * 2);
}

TEST_F(SentencePieceTrainerTest, IsDeterministic) {
  EXPECT_EQ(train_sentencepiece_bpe(example_sentences(), 384),
            train_sentencepiece_bpe(example_sentences(), 384));
}

TEST_F(SentencePieceTrainerTest, PrintsNothing) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  train_sentencepiece_bpe(example_sentences(), 384);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST_F(SentencePieceTrainerTest, ImpossibleSizesAreModelErrors) {
  EXPECT_THAT(message_of_failure(example_sentences(), 100),
              HasSubstr("cannot train a SentencePiece model: Vocabulary size is smaller"));
  EXPECT_THAT(message_of_failure(example_sentences(), 1000000), HasSubstr("too high"));
  for (const int64_t size : {INT64_MIN, int64_t{-1}, int64_t{0}, INT64_MAX}) {
    EXPECT_THAT(message_of_failure(example_sentences(), size), HasSubstr("vocab_size is"));
  }
}

TEST_F(SentencePieceTrainerTest, UnusableTextIsAModelError) {
  EXPECT_THAT(message_of_failure({}, 384), HasSubstr("no text"));
  EXPECT_THAT(message_of_failure({"", " \n"}, 384), HasSubstr("no text"));
  EXPECT_THAT(message_of_failure({"abc", "\xC3("}, 384), HasSubstr("'\\xc3(' is not UTF-8"));
  EXPECT_THAT(message_of_failure({std::string("a\0b", 3)}, 384), HasSubstr("null character"));
  EXPECT_THAT(message_of_failure({std::string((1 << 20) + 1, 'a')}, 384), HasSubstr("1048576"));
}

// Characters that the library reserves, e.g. its marks for spaces and unknown pieces.
TEST_F(SentencePieceTrainerTest, ReservedCharactersDoNoHarm) {
  std::vector<std::string> sentences = example_sentences();
  sentences.insert(sentences.end(), {"a\tb", "\u2581\u2581", "\u2585 \u2047", "<s> </s> <unk>"});
  EXPECT_NO_THROW(train_sentencepiece_bpe(sentences, 384));
  EXPECT_THAT(message_of_failure({"\u2585"}, 384), HasSubstr("cannot train"));
}

}  // namespace
}  // namespace pdl
