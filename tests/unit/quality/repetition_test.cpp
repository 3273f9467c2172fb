#include "pdl/quality/repetition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace pdl {
namespace {

using Ids = std::vector<int32_t>;

TEST(RepetitionFiguresTest, LooksAtTargetsBeforeInTheSameRow) {
  RepetitionFigures figures;
  //                   -    r w    r    -
  figures.add_row(Ids{5, 6, 5, 5}, Ids{5, 5, 5, 9});
  figures.add_row(Ids{6, 6}, Ids{5, 6});  // 5 was in the other row, 6 is the target
  EXPECT_EQ(figures.repeated(), 3.0 / 6);
  EXPECT_EQ(figures.wrongly_repeated(), 1.0 / 6);
  EXPECT_EQ(figures.distinct(), 3);
}

TEST(RepetitionFiguresTest, ForgetsWhatIsFurtherBack) {
  for (const size_t distance : {127u, 128u, 129u}) {
    Ids targets(distance + 1, 1);
    targets.front() = 7;
    Ids most_probable(distance + 1, 2);
    most_probable.back() = 7;
    RepetitionFigures figures;
    figures.add_row(targets, most_probable);
    const double positions = static_cast<double>(distance + 1);
    EXPECT_EQ(figures.repeated(), (distance <= 128 ? 1 : 0) / positions) << distance;
  }
}

TEST(RepetitionFiguresTest, IsWhatTheDefinitionSays) {
  std::mt19937 random(1);
  const auto draw = [&](int size, int types) {
    Ids ids;
    for (int i = 0; i < size; ++i)
      ids.push_back(std::uniform_int_distribution(0, types - 1)(random));
    return ids;
  };
  RepetitionFigures figures;
  double repeated = 0;
  double wrongly = 0;
  double positions = 0;
  for (int row = 0; row < 20; ++row) {
    const Ids targets = draw(row * 30, 300);
    const Ids most_probable = draw(row * 30, 300);
    figures.add_row(targets, most_probable);
    for (int64_t i = 0; i < std::ssize(targets); ++i) {
      const auto at = targets.begin() + i;
      const int32_t guess = most_probable[static_cast<size_t>(i)];
      const bool is_there = std::find(at - std::min<int64_t>(i, 128), at, guess) != at;
      repeated += is_there ? 1 : 0;
      wrongly += is_there && guess != *at ? 1 : 0;
      ++positions;
    }
  }
  EXPECT_EQ(figures.repeated(), repeated / positions);
  EXPECT_EQ(figures.wrongly_repeated(), wrongly / positions);
  EXPECT_EQ(figures.distinct(), 300);
}

TEST(RepetitionFiguresTest, OfNothingIsNone) {
  RepetitionFigures figures;
  figures.add_row({}, {});
  EXPECT_FALSE(figures.repeated().has_value());
  EXPECT_FALSE(figures.wrongly_repeated().has_value());
  EXPECT_EQ(figures.distinct(), 0);
}

}  // namespace
}  // namespace pdl
