#include "score_blocks.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "pdl/base/error.h"

namespace pdl {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

[[noreturn]] void throw_not_a_score(std::span<const float> scores) {
  const auto bad = std::find_if(scores.begin(), scores.end(), [](float score) {
    return !(score <= std::numeric_limits<float>::max());
  });
  throw NumericError("the score of token " + std::to_string(bad - scores.begin()) + " is " +
                     (std::isnan(*bad) ? "nan" : "inf") +
                     "; the model's logits or the sampling options (a temperature or a "
                     "repetition penalty near 0) are at fault");
}

// Integers in the order of floats, because GCC vectorises their maximum, but not that of floats,
// which depends on the order if there are NaNs. The function is its own inverse.
int32_t ordered(int32_t bits) { return bits ^ ((bits >> 31) & INT32_MAX); }

// Returns the maximum of a block; `not_scores` becomes other than 0 if it has a NaN or +inf.
float block_maximum(std::span<const float, kScoreBlock> block, int32_t& not_scores) {
  int32_t maximum = INT32_MIN;
  int32_t bad = 0;
  for (size_t i = 0; i < kScoreBlock; ++i) {
    maximum = std::max(maximum, ordered(std::bit_cast<int32_t>(block[i])));
    bad |= !(block[i] <= std::numeric_limits<float>::max());
  }
  not_scores |= bad;
  return std::bit_cast<float>(ordered(maximum));
}

}  // namespace

std::span<const float, kScoreBlock> score_block(std::span<const float> scores, size_t first,
                                                ScoreBlock& storage) {
  const std::span<const float> rest = scores.subspan(first);
  if (rest.size() >= kScoreBlock) return rest.first<kScoreBlock>();
  storage.fill(kMinusInfinity);
  std::copy(rest.begin(), rest.end(), storage.begin());
  return storage;
}

HighestScores find_highest(std::span<const float> scores) {
  HighestScores found{.highest = kMinusInfinity, .of_block = {}};
  found.of_block.reserve((scores.size() + kScoreBlock - 1) / kScoreBlock);
  int32_t not_scores = 0;
  ScoreBlock storage;
  for (size_t first = 0; first < scores.size(); first += kScoreBlock) {
    found.of_block.push_back(block_maximum(score_block(scores, first, storage), not_scores));
    found.highest = std::max(found.highest, found.of_block.back());
  }
  if (not_scores != 0) throw_not_a_score(scores);
  if (found.highest == kMinusInfinity) {
    throw NumericError("no token can be chosen: all " + std::to_string(scores.size()) +
                       " scores are -inf");
  }
  return found;
}

}  // namespace pdl
