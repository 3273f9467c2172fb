// A pass over all scores: their maximum, and whether they are numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pdl {

// Scores are visited in blocks of a size that the compiler knows, because it does not vectorise
// other loops at -O2.
inline constexpr size_t kScoreBlock = 64;
using ScoreBlock = std::array<float, kScoreBlock>;

// Returns the block of `scores` that begins at `first`. If fewer are left it is `storage`, with
// -inf after them.
std::span<const float, kScoreBlock> score_block(std::span<const float> scores, size_t first,
                                                ScoreBlock& storage);

// The highest score, and that of each block.
struct HighestScores {
  float highest = 0;
  std::vector<float> of_block;
};

// Throws NumericError if a score is NaN or +inf, or if all are -inf.
HighestScores find_highest(std::span<const float> scores);

}  // namespace pdl
