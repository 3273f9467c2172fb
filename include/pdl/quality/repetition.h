// How often a model's most probable token repeats the text before it, where that text is given
// (Welleck et al. 2019): rep/l, wrep/l and uniq with l = 128.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_set>

namespace pdl {

inline constexpr int64_t kRepetitionWindow = 128;

// Adds up rows.
class RepetitionFigures {
 public:
  // The targets of a row, in order, and the most probable token at each.
  void add_row(std::span<const int32_t> targets, std::span<const int32_t> most_probable);

  // Shares of the positions, none without a position: where the most probable token is among the up
  // to kRepetitionWindow targets before this one in its row; and where it is not the target either.
  std::optional<double> repeated() const { return share(repeated_); }
  std::optional<double> wrongly_repeated() const { return share(wrongly_repeated_); }
  // The number of different most probable tokens.
  int64_t distinct() const { return std::ssize(distinct_); }

 private:
  std::optional<double> share(int64_t positions) const;

  int64_t positions_ = 0;
  int64_t repeated_ = 0;
  int64_t wrongly_repeated_ = 0;
  std::unordered_set<int32_t> distinct_;
};

}  // namespace pdl
