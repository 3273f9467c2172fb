#include "pdl/base/random.h"

namespace pdl {

Random::Random(uint64_t seed, uint64_t stream) : state_(seed) {
  // Advancing by a hashed seed keeps neighbouring (seed, stream) pairs apart: (1, 2) is not (2, 1).
  state_ = next() + stream;
  state_ = next();
}

uint64_t Random::next() {
  state_ += 0x9e3779b97f4a7c15ULL;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

uint64_t Random::below(uint64_t bound) {
  // Values below 2^64 mod bound would make small results more likely, so they are drawn again.
  const uint64_t rejected = (0 - bound) % bound;
  uint64_t value = next();
  while (value < rejected) value = next();
  return value % bound;
}

double Random::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

}  // namespace pdl
