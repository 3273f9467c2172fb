#include "run/model_trial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "pdl/base/error.h"
#include "support/byte_tokenizer.h"

namespace pdl {
namespace {

using ::testing::HasSubstr;

std::string said_for_width(int64_t vocab_size, const Tokenizer& tokenizer) {
  ModelInfo model;
  model.vocab_size = vocab_size;
  testing::internal::CaptureStderr();
  require_width(model, tokenizer, "t.json");
  return testing::internal::GetCapturedStderr();
}

// Padding is usual; a much smaller tokenizer is probably another model's.
TEST(ModelTrialTest, AMuchSmallerTokenizerIsAWarning) {
  const ByteTokenizer tokenizer;
  const int64_t size = tokenizer.size();
  EXPECT_EQ(said_for_width(size, tokenizer), "");
  EXPECT_THAT(said_for_width(size + 1, tokenizer), HasSubstr("info: the model has"));
  EXPECT_THAT(said_for_width(2 * size, tokenizer), HasSubstr("warning: the model has"));
  EXPECT_THAT(said_for_width(2 * size, tokenizer), HasSubstr("'t.json'"));
  ModelInfo narrow;
  narrow.vocab_size = size - 1;
  EXPECT_THROW(require_width(narrow, tokenizer, "t.json"), ModelError);
}

}  // namespace
}  // namespace pdl
