// The token with the highest sum of score and noise, without the noise of every token: of V tokens
// about ln V can still win when their turn comes, and a rough bound finds the others.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "pdl/generation/sampling/sampling.h"
#include "score_blocks.h"

namespace pdl {
namespace {

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15ULL;
// The highest noise is that of u = 1 - 2^-53: 53 ln 2 = 36.74.
constexpr double kAboveAllNoise = 36.8;

uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

uint64_t hash_of(uint64_t key, uint64_t id) { return mix(key + (id + 1) * kGolden); }

double gumbel(uint64_t hash) {
  const double u = (static_cast<double>(hash >> 12) + 0.5) * 0x1p-52;
  return -std::log(-std::log(u));
}

struct Candidate {
  double sum;
  size_t id;
};

Candidate candidate(std::span<const float> scores, uint64_t key, size_t id) {
  return {static_cast<double>(scores[id]) + gumbel(hash_of(key, id)), id};
}

// Finds the tokens of a block that may reach a sum. -ln u >= 1 - u for every u, so that a token's
// noise is at most -ln(1 - u), and a token can reach `sum` only if 1 - u <= exp(score - sum). The
// exponential is replaced by one that is never lower: 2^y <= 2^floor(y) * (1 + y - floor(y)), which
// is the float whose bits are (y + 127) * 2^23.
class Sieve {
 public:
  explicit Sieve(float highest) : highest_(highest) {}

  void set_sum_to_reach(double sum) {
    // The margin is above all rounding here, and that of sums: where it is larger, scores that
    // differ do so by more than any noise.
    constexpr double kMargin = 1e-3;
    const double exponent = (highest_ - sum + kMargin) / kLn2 + 127 + kHashBits;
    offset_ = static_cast<float>(exponent * 0x1p23);
  }

  // Sets `may_win` of each token and returns whether there is one. `hashes`: their highest 31 bits.
  bool sift(std::span<const float, kScoreBlock> block,
            const std::array<int32_t, kScoreBlock>& hashes,
            std::array<int32_t, kScoreBlock>& may_win) const {
    constexpr auto kScale = static_cast<float>(0x1p23 / kLn2);
    int32_t any = 0;
    for (size_t i = 0; i < kScoreBlock; ++i) {
      const float bits = (block[i] - highest_) * kScale + offset_;
      const auto bound = std::bit_cast<float>(static_cast<int32_t>(bits > 0 ? bits : 0.0F));
      may_win[i] = static_cast<float>(INT32_MAX - hashes[i]) < bound;
      any |= may_win[i];
    }
    return any != 0;
  }

 private:
  static constexpr double kLn2 = 0.69314718055994530942;
  static constexpr int kHashBits = 31;  // 1 - u is compared as an integer of so many bits

  float highest_;
  float offset_ = 0;
};

size_t greedy_choice(std::span<const float> scores) {
  const float highest = find_highest(scores).highest;
  return static_cast<size_t>(std::find(scores.begin(), scores.end(), highest) - scores.begin());
}

size_t random_choice(std::span<const float> scores, uint64_t key) {
  const HighestScores found = find_highest(scores);
  const auto highest = std::find(scores.begin(), scores.end(), found.highest);
  Candidate best = candidate(scores, key, static_cast<size_t>(highest - scores.begin()));
  Sieve sieve(found.highest);
  sieve.set_sum_to_reach(best.sum);
  ScoreBlock storage;
  for (size_t first = 0; first < scores.size(); first += kScoreBlock) {
    if (found.of_block[first / kScoreBlock] + kAboveAllNoise < best.sum) continue;
    std::array<int32_t, kScoreBlock> hashes;
    for (size_t i = 0; i < kScoreBlock; ++i) {
      hashes[i] = static_cast<int32_t>(hash_of(key, first + i) >> 33);
    }
    std::array<int32_t, kScoreBlock> may_win;
    if (!sieve.sift(score_block(scores, first, storage), hashes, may_win)) continue;
    for (size_t i = 0; i < kScoreBlock; ++i) {
      if (may_win[i] == 0) continue;
      const Candidate rival = candidate(scores, key, first + i);
      const bool wins = rival.sum > best.sum || (rival.sum == best.sum && rival.id < best.id);
      if (wins) best = rival;
    }
    sieve.set_sum_to_reach(best.sum);
  }
  return best.id;
}

}  // namespace

SampleNoise::SampleNoise(uint64_t seed, std::span<const int32_t> prompt, uint64_t sample)
    : sample_key_(mix(seed + kGolden)) {
  for (const int32_t id : prompt) {
    sample_key_ = mix(sample_key_ + static_cast<uint64_t>(id) + kGolden);
  }
  sample_key_ = mix(sample_key_ + sample + kGolden);
}

uint64_t SampleNoise::key(uint64_t position) const { return mix(sample_key_ + position + kGolden); }

double SampleNoise::of_token(uint64_t key, int32_t id) {
  return gumbel(hash_of(key, static_cast<uint64_t>(id)));
}

int32_t choose_token(std::span<const float> scores, const SamplingOptions& options,
                     const SampleNoise& noise, uint64_t position) {
  const size_t id =
      options.temperature > 0 ? random_choice(scores, noise.key(position)) : greedy_choice(scores);
  return static_cast<int32_t>(id);
}

}  // namespace pdl
