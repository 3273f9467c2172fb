#include "run/model_trial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/run/job.h"
#include "run/small_job.h"
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

// The exporter writes how many positions a model has into the file; rotary ones have no end.
TEST(ModelTrialTest, SequencesLongerThanTheModelsPositionsAreTheConfigsFault) {
  for (const auto& [metadata, is_refused] : std::vector<std::pair<std::string, bool>>{
           {R"({"format": "pdl-ts-1", "max_positions": 9})", true},
           {R"({"format": "pdl-ts-1", "max_positions": 10})", false},
           {R"({"format": "pdl-ts-1", "max_positions": 0})", false},
           {R"({"format": "another", "max_positions": 9})", false},
           {"no JSON", false}}) {
    SmallJob job;  // sequences of 10 tokens
    torch::jit::ExtraFilesMap extra{{"pdl_meta.json", metadata}};
    script_module(kCausalSource).save(job.config.model_path.string(), extra);
    if (is_refused) {
      EXPECT_THROW(load_job(job.config), ConfigError) << metadata;
    } else {
      EXPECT_NO_THROW(load_job(job.config)) << metadata;
    }
  }
}

// An id of the evaluation data, and padding, are read as well.
TEST(ModelTrialTest, TheLargestIdIsThatOfAllData) {
  SmallJob job(
      "def forward(self, input_ids):\n"
      "    x = torch.matmul(torch.embedding(self.embedding[:8], input_ids), self.mix)\n"
      "    return torch.matmul(x, self.embedding.t()) + self.bias\n");
  job.config.train_files = {job.folder.file("train.npy", npy_of({1, 7, 2, 3, 7, 1, 2, 3}))};
  job.config.eval_files = {};
  EXPECT_NO_THROW(load_job(job.config));
  job.config.eval_files = {job.folder.file("eval.npy", npy_of({1, 8, 2, 3}))};
  EXPECT_THROW(load_job(job.config), ModelError);
}

}  // namespace
}  // namespace pdl
