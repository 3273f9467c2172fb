#include "pdl/run/job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pdl/base/error.h"
#include "pdl/run/start_report.h"
#include "run/small_job.h"

namespace pdl {
namespace {

TEST(JobTest, TargetsAreCountedAsTheTableSays) {
  SmallJob job;
  const Job loaded = load_job(job.config);
  EXPECT_EQ(loaded.data.train_counts, count_targets(*loaded.data.train, kTestVocab));
  EXPECT_EQ(loaded.data.eval_counts, count_targets(*loaded.data.eval, kTestVocab));
  EXPECT_EQ(loaded.loss.table.counts, loaded.data.train_counts);
  EXPECT_EQ(loaded.loss.weights.counts(), loaded.data.train_counts);
}

TEST(JobTest, AReferenceCorpusIsCountedInsteadOfTheTargets) {
  SmallJob job;
  job.config.pdl_reference_files = {job.folder.file("reference.npy", npy_of({0, 0, 1, 2, 2, 2}))};
  const Job loaded = load_job(job.config);
  EXPECT_THAT(loaded.loss.table.counts, testing::ElementsAre(2, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  EXPECT_THROW(start_metrics(loaded), DataError);  // unseen tokens hold most of the weight
}

TEST(JobTest, ATargetThatWasNeverCountedIsRefusedIfAsked) {
  SmallJob job;
  job.config.pdl_reference_files = {job.folder.file("reference.npy", npy_of({0, 0, 1, 2, 2, 2}))};
  job.config.weights.pdl_unseen = UnseenPolicy::kError;
  EXPECT_THROW(load_job(job.config), DataError);
}

TEST(JobTest, EvaluationAloneNeedsCountsFromSomewhere) {
  SmallJob job;
  job.config.train_files.clear();
  EXPECT_THROW(load_job(job.config), ConfigError);
  job.config.pdl_reference_files = job.config.eval_files;
  const Job loaded = load_job(job.config);
  EXPECT_FALSE(loaded.data.train.has_value());
  EXPECT_TRUE(loaded.data.train_counts.empty());
}

TEST(JobTest, ChunksAreForModelsThatSplitTheirHead) {
  SmallJob job(kSplitSource);
  job.config.logits_chunk_rows = 4;
  const Job loaded = load_job(job.config);
  EXPECT_EQ(loaded.plan.train_chunk_positions, 4);
  EXPECT_EQ(loaded.plan.eval_chunk_positions, 4);
}

TEST(JobTest, FaultsOfTheDeviceAndThePrecisionAreTheConfigs) {
  SmallJob job;
  job.config.precision = Precision::kFp16;
  EXPECT_THROW(load_job(job.config), ConfigError);
  job.config.precision = Precision::kFp32x3;
  try {
    load_job(job.config);
    ADD_FAILURE() << "a TorchScript file knows no fp32x3";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("TorchScript"));
  }
  job.config.precision = Precision::kFp32;
  job.config.weights.pdl_special_tokens = SpecialTokenPolicy::kNeutral;  // without a tokenizer
  EXPECT_THROW(load_job(job.config), ConfigError);
}

}  // namespace
}  // namespace pdl
