#include "pdl/quality/self_bleu.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <random>

namespace pdl {
namespace {

using Sample = std::vector<int32_t>;

std::map<Sample, int64_t> ngrams_of(const Sample& ids, int n) {
  std::map<Sample, int64_t> counts;
  for (auto begin = ids.begin(); ids.end() - begin >= n; ++begin)
    ++counts[Sample(begin, begin + n)];
  return counts;
}

// Sentence BLEU as its definition says it, of one sample against all others.
double bleu_against_others(const Samples& samples, size_t which) {
  const Sample& own = samples[which];
  double logarithms = 0;
  for (int n = 1; n <= 4; ++n) {
    double matched = 0;
    double total = 0;
    for (const auto& [ngram, count] : ngrams_of(own, n)) {
      int64_t most = 0;
      for (size_t i = 0; i < samples.size(); ++i) {
        if (i != which) most = std::max(most, ngrams_of(samples[i], n)[ngram]);
      }
      matched += static_cast<double>(std::min(count, most));
      total += static_cast<double>(count);
    }
    if (n == 1 && matched == 0) return 0;
    logarithms += std::log((matched == 0 ? 0.1 : matched) / total) / 4;
  }
  int64_t nearest = -1;
  const int64_t length = std::ssize(own);
  for (size_t i = 0; i < samples.size(); ++i) {
    const int64_t other = std::ssize(samples[i]);
    const bool is_nearer =
        std::abs(other - length) < std::abs(nearest - length) ||
        (std::abs(other - length) == std::abs(nearest - length) && other < nearest);
    if (i != which && (nearest < 0 || is_nearer)) nearest = other;
  }
  const double ratio = static_cast<double>(nearest) / static_cast<double>(length);
  return (length > nearest ? 1 : std::exp(1 - ratio)) * std::exp(logarithms);
}

Samples random_samples(int count, int min_length, int max_length, int types, uint32_t seed) {
  std::mt19937 random(seed);
  Samples samples;
  for (int i = 0; i < count; ++i) {
    Sample& sample = samples.emplace_back();
    const int length = std::uniform_int_distribution(min_length, max_length)(random);
    for (int j = 0; j < length; ++j)
      sample.push_back(std::uniform_int_distribution(0, types - 1)(random));
  }
  return samples;
}

TEST(SelfBleuTest, IsThatOfEachAgainstAllOthers) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    const Samples samples =
        random_samples(2 + static_cast<int>(seed % 7), 4, 14, 2 + static_cast<int>(seed), seed);
    double sum = 0;
    for (size_t i = 0; i < samples.size(); ++i) sum += bleu_against_others(samples, i);
    EXPECT_NEAR(self_bleu(samples).mean.value(), sum / static_cast<double>(samples.size()), 1e-13)
        << seed;
  }
}

TEST(SelfBleuTest, ASampleIsNoReferenceOfItself) {
  EXPECT_NEAR(self_bleu(Samples{{1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}}).mean.value(), 1, 1e-15);
  EXPECT_EQ(self_bleu(Samples{{1, 2, 3, 4, 5}, {6, 7, 8, 9, 10}}).mean, 0);
}

TEST(SelfBleuTest, ShortSamplesAreLeftOutOnBothSides) {
  const Samples kept = random_samples(5, 4, 9, 6, 3);
  Samples all = kept;
  all.insert(all.begin() + 2, Sample{1, 2, 3});
  all.push_back({});
  EXPECT_EQ(self_bleu(all).mean, self_bleu(kept).mean);
  EXPECT_EQ(self_bleu(all).skipped, 2);
  EXPECT_EQ(self_bleu(kept).skipped, 0);
}

TEST(SelfBleuTest, OfOneSampleIsNone) {
  EXPECT_FALSE(self_bleu(Samples{}).mean.has_value());
  EXPECT_FALSE(self_bleu(Samples{{1, 2, 3, 4}}).mean.has_value());
  const SelfBleu short_ones = self_bleu(Samples{{1, 2, 3, 4}, {1, 2, 3}, {}});
  EXPECT_FALSE(short_ones.mean.has_value());
  EXPECT_EQ(short_ones.skipped, 2);
}

TEST(SelfBleuTest, TakesTheFirstThousandAndSecondsAtTheMost) {
  const auto begin = std::chrono::steady_clock::now();
  Samples samples = random_samples(1400, 64, 64, 300, 8);
  const SelfBleu all = self_bleu(samples);
  samples.resize(1000);
  EXPECT_EQ(self_bleu(samples).mean, all.mean);
  samples.resize(999);
  EXPECT_NE(self_bleu(samples).mean, all.mean);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

}  // namespace
}  // namespace pdl
