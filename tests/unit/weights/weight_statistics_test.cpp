#include "pdl/weights/weight_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "pdl/base/error.h"
#include "pdl/weights/weight_formula.h"
#include "support/byte_tokenizer.h"

namespace pdl {
namespace {

// Computes the figures target by target, without formulas for groups.
struct Target {
  size_t token;
  int64_t count;  // in the table
  double weight;
};

std::vector<Target> one_by_one(const TokenOccurrences& occurrences, std::span<const double> w) {
  std::vector<Target> targets;
  for (size_t token = 0; token < w.size(); ++token) {
    targets.insert(targets.end(), static_cast<size_t>(occurrences.training[token]),
                   {token, occurrences.table[token], w[token]});
  }
  return targets;
}

template <class Predicate>
double share_of_weight(const std::vector<Target>& targets, const Predicate& predicate) {
  double inside = 0;
  double all = 0;
  for (const Target& target : targets) {
    all += target.weight;
    if (predicate(target)) inside += target.weight;
  }
  return inside / all;
}

template <class Predicate>
double share_of_targets(std::vector<Target> targets, const Predicate& predicate) {
  for (Target& target : targets) target.weight = 1;
  return share_of_weight(targets, predicate);
}

TEST(WeightStatisticsTest, AreThoseOfTheTargetsOneByOne) {
  const std::vector<int64_t> counts = {0, 4, 1, 0, 5};
  const std::vector<int64_t> training = {2, 6, 1, 0, 3};
  const std::vector<int64_t> evaluation = {1, 0, 2, 0, 5};
  const std::vector<double> w = {8, 0.5, 2, 100, 0.25};
  const TokenOccurrences occurrences{counts, training, evaluation};
  const std::vector<Target> each = one_by_one(occurrences, w);
  double sum = 0;
  double square_sum = 0;
  for (const Target& target : each) {
    sum += target.weight;
    square_sum += target.weight * target.weight;
  }
  const auto is_unseen = [](const Target& target) { return target.count == 0; };
  const WeightStatistics statistics = weight_statistics(occurrences, w, {}, nullptr);
  EXPECT_EQ(statistics.counted_tokens, 10);
  EXPECT_EQ(statistics.counted_types, 3);
  EXPECT_EQ(statistics.unseen_types, 2);
  EXPECT_EQ(statistics.w_min, 0.25);  // of seen tokens
  EXPECT_EQ(statistics.w_max, 2);
  EXPECT_DOUBLE_EQ(statistics.w_mean, sum / 12);
  EXPECT_DOUBLE_EQ(statistics.unseen_share, 2.0 / 12);
  EXPECT_DOUBLE_EQ(statistics.rare_share, 9.0 / 12);
  EXPECT_DOUBLE_EQ(statistics.eval_unseen_share.value(), 1.0 / 8);
  EXPECT_DOUBLE_EQ(statistics.eval_rare_share.value(), 3.0 / 8);
  EXPECT_DOUBLE_EQ(statistics.unseen_weight_share, share_of_weight(each, is_unseen));
  EXPECT_DOUBLE_EQ(statistics.n_eff, sum * sum / square_sum / 12);
  EXPECT_FALSE(statistics.cap.has_value());
  ASSERT_EQ(statistics.top_tokens.size(), 4U);  // a token without targets has no share
  EXPECT_EQ(statistics.top_tokens[0].id, 0);
  EXPECT_DOUBLE_EQ(statistics.top_tokens[0].weight_share, 16 / sum);
}

TEST(WeightStatisticsTest, BandsPartTheTargetsAndTheirWeight) {
  std::mt19937_64 random(1);
  std::vector<int64_t> counts;
  std::vector<int64_t> training;
  for (int token = 0; token < 300; ++token) {
    counts.push_back(static_cast<int64_t>(std::pow(10.0, static_cast<double>(token % 50) / 12)) -
                     1);
    training.push_back(static_cast<int64_t>(random() % 7));
  }
  const std::vector<double> w = power_law_weights(counts, {.pdl_alpha = 0.7}, {}, 0.7);
  const TokenOccurrences occurrences{counts, training};
  const std::vector<Target> each = one_by_one(occurrences, w);
  const WeightStatistics statistics = weight_statistics(occurrences, w, {}, nullptr);
  double weight = 0;
  int64_t tokens = 0;
  for (size_t i = 0; i < kFrequencyBands.size(); ++i) {
    const auto is_inside = [&](const Target& target) {
      return target.count >= kFrequencyBands[i].min_count &&
             target.count <= kFrequencyBands[i].max_count;
    };
    const BandWeight& band = statistics.weight_bands[i];
    EXPECT_GT(band.tokens, 0);
    EXPECT_NEAR(static_cast<double>(band.tokens) / static_cast<double>(each.size()),
                share_of_targets(each, is_inside), 1e-12);
    EXPECT_NEAR(band.weight_share, share_of_weight(each, is_inside), 1e-12);
    weight += band.weight_share;
    tokens += band.tokens;
  }
  EXPECT_NEAR(weight, 1, 1e-12);
  EXPECT_EQ(tokens, std::ssize(each));
}

// pdl_max_unseen_share 1 accepts everything, so the share must not be rounded to more than 1.
TEST(WeightStatisticsTest, UnseenTargetsAloneHoldExactlyAll) {
  std::vector<int64_t> counts(1001, 0);
  counts.back() = 3;
  std::vector<int64_t> training(1001, 7);
  training.back() = 0;
  std::vector<double> w(1001, 0.1);
  for (size_t token = 0; token < w.size(); ++token)
    w[token] += 1.0 / static_cast<double>(token + 3);
  const WeightStatistics statistics = weight_statistics({counts, training}, w, {}, nullptr);
  EXPECT_EQ(statistics.unseen_weight_share, 1.0);
  EXPECT_EQ(statistics.unseen_share, 1.0);
}

TEST(WeightStatisticsTest, EqualWeightsUseEveryTarget) {
  const std::vector<int64_t> counts(50, 3);
  const WeightStatistics statistics =
      weight_statistics({counts, counts}, std::vector<double>(50, 0.25), {}, nullptr);
  EXPECT_DOUBLE_EQ(statistics.n_eff, 1.0);
  ASSERT_EQ(statistics.top_tokens.size(), 20U);
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(statistics.top_tokens[i].id, static_cast<int64_t>(i));
  EXPECT_FALSE(statistics.eval_unseen_share.has_value());
  EXPECT_FALSE(statistics.eval_rare_share.has_value());
}

TEST(WeightStatisticsTest, TheCapTellsWhatItLowered) {
  const std::vector<int64_t> counts = {0, 1, 10, 1000, 0, 89};
  const std::vector<int64_t> training = {4, 1, 9, 500, 0, 100};
  const WeightOptions options{.pdl_alpha = 1.0, .pdl_max_ratio = 50};
  const TokenOccurrences occurrences{counts, training};
  const std::vector<double> before = power_law_weights(counts, {.pdl_alpha = 1.0}, {}, 1.0);
  const std::vector<double> after = power_law_weights(counts, options, {}, 1.0);
  const auto is_lowered = [&](const Target& target) {
    return after[target.token] < before[target.token];
  };
  const WeightStatistics statistics = weight_statistics(occurrences, after, options, nullptr);
  ASSERT_TRUE(statistics.cap.has_value());
  EXPECT_EQ(statistics.cap->types, 4);  // all but those of 1000 and 89; one has no target
  EXPECT_DOUBLE_EQ(statistics.cap->target_share, 14.0 / 614);
  EXPECT_NEAR(statistics.cap->weight_share_before,
              share_of_weight(one_by_one(occurrences, before), is_lowered), 1e-12);
  EXPECT_NEAR(statistics.cap->weight_share,
              share_of_weight(one_by_one(occurrences, after), is_lowered), 1e-12);
  EXPECT_LT(statistics.cap->weight_share, statistics.cap->weight_share_before);
}

TEST(WeightStatisticsTest, ACapThatNothingReachesLowersNothing) {
  const std::vector<int64_t> counts = {1, 10, 1000};
  const WeightOptions options{.pdl_alpha = 0, .pdl_max_ratio = 1};
  const std::vector<double> w = power_law_weights(counts, options, {}, 0);
  const WeightStatistics statistics = weight_statistics({counts, counts}, w, options, nullptr);
  EXPECT_EQ(statistics.cap.value().types, 0);
  EXPECT_EQ(statistics.cap->target_share, 0);
  EXPECT_EQ(statistics.cap->weight_share_before, 0);
  EXPECT_EQ(statistics.cap->weight_share, 0);
}

// Their weight is the mean of the others, which falls with the cap, but the cap itself has not
// lowered them.
TEST(WeightStatisticsTest, NeutralTokensAreNotAmongTheLowered) {
  const ByteTokenizer tokenizer;
  std::vector<int64_t> counts(static_cast<size_t>(tokenizer.size()), 100);
  for (const size_t token : {3, 4}) counts[token] = 1;
  WeightOptions options{.pdl_alpha = 1, .pdl_max_ratio = 2};
  options.pdl_special_tokens = SpecialTokenPolicy::kNeutral;
  const std::vector<double> w = power_law_weights(counts, options, tokenizer.special_ids(), 1);
  EXPECT_LT(w[0], uncapped_weights(counts, options, tokenizer.special_ids(), 1)[0]);
  const WeightStatistics statistics = weight_statistics({counts, counts}, w, options, &tokenizer);
  EXPECT_EQ(statistics.cap.value().types, 2);
}

// Without the cap the weight would be infinite, and the token would have the share 1.
TEST(WeightStatisticsTest, WeightsThatAreInfiniteWithoutTheCapHoldEverything) {
  const std::vector<int64_t> counts = {0, 10};
  const std::vector<int64_t> training = {1, 9};
  const WeightOptions options{.pdl_alpha = 2, .pdl_epsilon = 1e-300, .pdl_max_ratio = 3};
  const std::vector<double> w = power_law_weights(counts, options, {}, 2);
  const CapEffect cap = weight_statistics({counts, training}, w, options, nullptr).cap.value();
  EXPECT_EQ(cap.types, 1);
  EXPECT_EQ(cap.weight_share_before, 1.0);
  EXPECT_DOUBLE_EQ(cap.weight_share, 3.0 / 12);
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
