// Pseudo-random numbers that are the same on every machine, unlike the standard library's
// distributions. SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators,
// 2014).
#pragma once

#include <cstdint>

namespace pdl {

// A generator of 64-bit numbers (SplitMix64). The same seed gives the same numbers on every
// machine. For one thread.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  // Each pair, e.g. (seed of the run, epoch), gives a generator of its own.
  Random(uint64_t seed, uint64_t stream);

  // Uniform over all 64-bit numbers.
  uint64_t next();
  // Uniform in [0, bound), without bias; bound > 0.
  uint64_t below(uint64_t bound);
  // Uniform in [0, 1), a multiple of 2^-53.
  double uniform();

 private:
  uint64_t state_;
};

}  // namespace pdl
