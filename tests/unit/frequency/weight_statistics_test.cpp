#include "pdl/frequency/weight_statistics.h"

#include <gtest/gtest.h>

#include "pdl/base/error.h"
#include "support/byte_tokenizer.h"

namespace pdl {
namespace {

TEST(WeightStatisticsTest, AreThoseOfTheTargetsOneByOne) {
  const std::vector<int64_t> counts = {0, 4, 1, 0};
  const std::vector<int64_t> targets = {2, 6, 1, 0};
  const std::vector<double> w = {8, 0.5, 2, 100};
  std::vector<double> each;  // the weight of every single target
  for (size_t token = 0; token < targets.size(); ++token)
    each.insert(each.end(), static_cast<size_t>(targets[token]), w[token]);
  double sum = 0;
  double square_sum = 0;
  for (const double weight : each) {
    sum += weight;
    square_sum += weight * weight;
  }
  const WeightStatistics statistics = weight_statistics(counts, targets, w, nullptr);
  EXPECT_EQ(statistics.w_min, 0.5);  // of seen tokens
  EXPECT_EQ(statistics.w_max, 2);
  EXPECT_DOUBLE_EQ(statistics.w_mean, sum / 9);
  EXPECT_DOUBLE_EQ(statistics.unseen_share, 2.0 / 9);
  EXPECT_DOUBLE_EQ(statistics.unseen_weight_share, 16 / sum);
  EXPECT_DOUBLE_EQ(statistics.n_eff, sum * sum / square_sum / 9);
  ASSERT_EQ(statistics.top_tokens.size(), 3U);  // a token without targets has no share
  EXPECT_EQ(statistics.top_tokens[0].id, 0);
  EXPECT_DOUBLE_EQ(statistics.top_tokens[0].weight_share, 16 / sum);
}

TEST(WeightStatisticsTest, EqualWeightsUseEveryTarget) {
  const std::vector<int64_t> counts(50, 3);
  const WeightStatistics statistics =
      weight_statistics(counts, counts, std::vector<double>(50, 0.25), nullptr);
  EXPECT_DOUBLE_EQ(statistics.n_eff, 1.0);
  EXPECT_EQ(statistics.top_tokens.size(), 10U);
}

TEST(WeightStatisticsTest, AnUnseenTargetIsNamed) {
  const ByteTokenizer tokenizer;
  std::vector<int64_t> counts(static_cast<size_t>(tokenizer.size()), 1);
  std::vector<int64_t> targets = counts;
  EXPECT_NO_THROW(require_seen(counts, targets, &tokenizer, "training"));
  counts[ByteTokenizer::kFirstByte + 'q'] = 0;
  try {
    require_seen(counts, targets, &tokenizer, "evaluation");
    FAIL();
  } catch (const DataError& problem) {
    EXPECT_NE(std::string(problem.what()).find("evaluation target 116 ('q')"), std::string::npos)
        << problem.what();
  }
  targets[ByteTokenizer::kFirstByte + 'q'] = 0;
  EXPECT_NO_THROW(require_seen(counts, targets, &tokenizer, "training"));
}

}  // namespace
}  // namespace pdl
