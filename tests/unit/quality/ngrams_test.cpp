#include "pdl/quality/ngrams.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pdl {
namespace {

TEST(CountNgramsTest, CountsInOrderAndNotAcrossSamples) {
  const NgramCounts counts = count_ngrams(Samples{{5, 1, 5, 1}, {1}, {}, {5, 1}}, 2);
  ASSERT_EQ(counts.entries.size(), 2u);
  EXPECT_EQ(counts.entries[0].ngram, (Ngram{1, 5, -1, -1}));
  EXPECT_EQ(counts.entries[0].count, 1);
  EXPECT_EQ(counts.entries[1].ngram, (Ngram{5, 1, -1, -1}));
  EXPECT_EQ(counts.entries[1].count, 3);
  EXPECT_EQ(counts.total, 4);
}

TEST(CountNgramsTest, TheLastNgramIsCounted) {
  for (int n = 1; n <= kMaxNgram; ++n) {
    EXPECT_EQ(count_ngrams(Samples{{0, 1, 2, 3}}, n).total, 5 - n);
    EXPECT_EQ(count_ngrams(Samples{std::vector<int32_t>(static_cast<size_t>(n), 7)}, n).total, 1);
    EXPECT_EQ(count_ngrams(Samples{std::vector<int32_t>(static_cast<size_t>(n - 1), 7)}, n).total,
              0);
  }
}

TEST(DistinctShareTest, IsThatOfDifferentNgrams) {
  EXPECT_EQ(distinct_share(count_ngrams(Samples{{1, 2, 1, 2}}, 1)), 0.5);
  EXPECT_EQ(distinct_share(count_ngrams(Samples{{1, 2, 1, 2}}, 2)), 2.0 / 3);
  EXPECT_EQ(distinct_share(count_ngrams(Samples{{3}}, 1)), 1);
  EXPECT_FALSE(distinct_share(count_ngrams(Samples{{3}}, 2)).has_value());
  EXPECT_FALSE(distinct_share(count_ngrams(Samples{}, 1)).has_value());
  EXPECT_FALSE(distinct_share(count_ngrams(Samples{{}, {}}, 1)).has_value());
}

TEST(SequenceRepetitionTest, IsTheMeanOfSamplesThatAreLongEnough) {
  // The first has one pair three times, the second two pairs once.
  const SequenceRepetition two = sequence_repetition(Samples{{1, 1, 1, 1}, {1, 2, 3}, {1}, {}}, 2);
  EXPECT_NEAR(two.mean.value(), 1.0 / 3, 1e-15);
  EXPECT_EQ(two.skipped, 2);
  const SequenceRepetition none = sequence_repetition(Samples{{1, 2, 3}}, 4);
  EXPECT_FALSE(none.mean.has_value());
  EXPECT_EQ(none.skipped, 1);
  EXPECT_FALSE(sequence_repetition(Samples{}, 2).mean.has_value());
}

// Ids that occur as often as scale / rank^exponent.
NgramCounts power_law(double exponent, int types) {
  NgramCounts counts;
  for (int32_t id = 0; id < types; ++id) {
    const double count = std::round(1e12 / std::pow(types - id, exponent));
    counts.entries.push_back({{id, -1, -1, -1}, static_cast<int64_t>(count)});
  }
  return counts;
}

TEST(ZipfExponentTest, FindsThatOfAPowerLawInAnyOrder) {
  EXPECT_NEAR(zipf_exponent(power_law(1, 500)).value(), 1, 1e-9);
  EXPECT_NEAR(zipf_exponent(power_law(1.25, 500)).value(), 1.25, 1e-9);
}

TEST(ZipfExponentTest, OfEqualCountsIsZeroAndOfOneTypeNone) {
  EXPECT_EQ(zipf_exponent(count_ngrams(Samples{{1, 2, 3}}, 1)), 0);
  EXPECT_FALSE(std::signbit(*zipf_exponent(count_ngrams(Samples{{1, 2, 3}}, 1))));
  EXPECT_NEAR(zipf_exponent(count_ngrams(Samples{{1, 2, 1}}, 1)).value(), 1, 1e-15);
  EXPECT_FALSE(zipf_exponent(count_ngrams(Samples{{4, 4}}, 1)).has_value());
  EXPECT_FALSE(zipf_exponent(count_ngrams(Samples{}, 1)).has_value());
}

}  // namespace
}  // namespace pdl
